import './title.ts';
import type { Invocation } from './invocation.ts';
import { version } from './version.ts';

// Asked for by scripts and by prompts, and over before anything else is loaded.
if (process.argv.length === 3 && process.argv[2] === '--version') {
  process.stdout.write(`${version}\n`);
  process.exit(0);
}

const { harden } = await import('@spike/host');
harden();
const { Deadline } = await import('./deadline.ts');
const { defaultSettings, guessFormat } = await import('./setting.ts');

const deadline = new Deadline();
const ends = ['SIGINT', 'SIGTERM'] as const;
for (const signal of ends) process.once(signal, () => deadline.interrupt(signal));

const format = guessFormat(process.argv.slice(2));
const invocation: Invocation = {
  version,
  env: { ...process.env },
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  deadline,
  signal: deadline.signal,
  settings: { ...defaultSettings(), format },
};

process.stdout.on('error', ({ code = 'unknown error' }: NodeJS.ErrnoException) => {
  // A reader that has seen enough (`| head`) is no failure.
  if (code === 'EPIPE') process.exit(0);
  process.stderr.write(`Error: standard output cannot be written: ${code}\n`);
  process.exit(1);
});

const code = await run(process.argv);
// A pipe takes as much at once as it has room for, and an exit would lose the rest. Whoever reads slowly gets all of it.
for (const signal of ends) process.removeAllListeners(signal);
await Promise.all([process.stdout, process.stderr].map(flush));
// What could not be written is told in the next turn.
await new Promise(setImmediate);
// Sockets that are kept for a next request must not hold the process; `status` sets its own code.
process.exit(code === 0 ? process.exitCode : code);

async function run(argv: readonly string[]): Promise<number> {
  try {
    const { createProgram } = await import('./program.ts');
    await createProgram(invocation).parseAsync(argv);
    return 0;
  } catch (error) {
    const { reportFailure } = await import('./output/report.ts');
    return await reportFailure(deadline.signal.aborted ? deadline.signal.reason : error, invocation);
  }
}

/** Until a signal ends us, which nothing catches any more. */
async function flush(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength === 0) return;
  await new Promise((resolve) => stream.write('', resolve));
}
