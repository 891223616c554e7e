import type { Invocation } from '../invocation.ts';

/** Asks in a terminal, on whichever stream people see, for one line; an empty one when there is no more input. */
export async function askLine(
  invocation: Invocation,
  question: string,
  output: NodeJS.WritableStream,
): Promise<string> {
  const { createInterface } = await import('node:readline/promises');
  const { stdin, signal, deadline } = invocation;
  signal.throwIfAborted();
  const lines = createInterface({ input: stdin });
  const onAbort = (): void => lines.close();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    output.write(question);
    const line = await deadline.pauseFor(
      () =>
        new Promise<string>((resolve) => {
          lines.once('line', resolve);
          lines.once('close', () => resolve(''));
        }),
    );
    signal.throwIfAborted();
    return line;
  } finally {
    signal.removeEventListener('abort', onAbort);
    lines.close();
  }
}
