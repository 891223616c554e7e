import { ChildEnvironment, startChild } from '@spike/host';
import type { Invocation } from '../invocation.ts';

const defaultPager = 'less -R';

/**
 * Shows a text in the person's pager, `less -R` unless `PAGER` says otherwise, and waits until it is left. Where the
 * pager cannot be had or fails, the text is written as it is.
 */
export async function page(invocation: Invocation, text: string): Promise<void> {
  const { env, stdout } = invocation;
  const command = env['PAGER'] ?? defaultPager;
  if (command.trim() === '' || command === 'cat' || !(await runPager(command, text, invocation))) {
    stdout.write(text);
  }
}

/** A shell reads `PAGER`, as everywhere. False when it ended with a failure. */
async function runPager(command: string, text: string, { env, deadline }: Invocation): Promise<boolean> {
  // Ends by itself where the text fits, passes colours on, and leaves the screen as it is.
  const environment = ChildEnvironment.ofPerson({ LESS: 'FRX', ...env });
  return await deadline.pauseFor(
    () =>
      new Promise((resolve) => {
        const child = startChild('/bin/sh', ['-c', command], {
          stdio: ['pipe', 'inherit', 'inherit'],
          environment,
        });
        child.once('error', () => resolve(false));
        child.once('exit', (code) => resolve(code === 0));
        // Whoever leaves a pager early does not read the rest.
        child.stdin.on('error', () => undefined);
        child.stdin.end(text);
      }),
  );
}
