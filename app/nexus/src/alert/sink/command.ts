import { ChildEnvironment, startChild } from '@spike/host';
import { FinalError } from './queue.ts';
import { QueuedSink } from './queued.ts';
import { encodeItem, type OnState } from './sink.ts';

export interface CommandSinkOptions {
  /** An absolute path, and its arguments; no shell reads them. */
  readonly argv: readonly [string, ...string[]];
  readonly onState: OnState;
  readonly deadlineMs?: number;
  readonly retryMs?: number;
}

/** Runs a program for each item, with its JSON on standard input and nothing of our environment. */
export class CommandSink extends QueuedSink {
  constructor({ argv, onState, deadlineMs = 10_000, retryMs = 1_000 }: CommandSinkOptions) {
    super('command', {
      deliver: async ({ item }, signal) => await run(argv, `${encodeItem(item)}\n`, deadlineMs, signal),
      onState,
      concurrency: 2,
      most: 100,
      retryMs,
      longestRetryMs: 60_000,
      tries: 3,
    });
  }
}

async function run(
  [program, ...args]: readonly [string, ...string[]],
  input: string,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<void> {
  const child = startChild(program, args, {
    environment: ChildEnvironment.searchPath,
    cwd: '/',
    // A group of its own, so that what it started ends with it.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const ended = Promise.withResolvers<void>();
  child.once('error', (error) =>
    ended.reject(new FinalError('the alert command cannot be run', { cause: error })),
  );
  child.once('exit', (code, killed) => {
    if (code === 0) ended.resolve();
    else ended.reject(new Error(`the alert command ended with ${code ?? killed ?? 'an error'}`));
  });
  const end = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It is gone already.
    }
  };
  const timer = setTimeout(end, deadlineMs);
  signal.addEventListener('abort', end, { once: true });
  try {
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    await ended.promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
  }
}
