import './title.ts';
import { harden } from '@spike/host';
import type { Invocation } from './invocation.ts';
import { createProgram } from './program.ts';
import { version } from './version.ts';

harden();

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());

const invocation: Invocation = {
  version,
  env: { ...process.env },
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  signal: stop.signal,
};

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

const code = await run(process.argv);
// Sockets that are kept for a next request must not hold the process; `status` sets its own code.
process.exit(code === 0 ? process.exitCode : code);

async function run(argv: readonly string[]): Promise<number> {
  try {
    await createProgram(invocation).parseAsync(argv);
    return 0;
  } catch (error) {
    if (isCommanderError(error)) return error.exitCode === 0 ? 0 : 2;
    const { describeFailure } = await import('./output/failure.ts');
    const failure = describeFailure(error);
    process.stderr.write(failure.text);
    return failure.exit;
  }
}

function isCommanderError(error: unknown): error is Error & { readonly exitCode: number } {
  return (
    error instanceof Error &&
    'exitCode' in error &&
    'code' in error &&
    String(error.code).startsWith('commander.')
  );
}
