import { readFileSync } from 'node:fs';
import { isReaped } from './libc.ts';

/**
 * Reaps the children that this process had before it replaced its image (execve keeps them, and Node waits only for
 * those that it started itself): else they stay as zombies. To be called before the first child is started.
 */
export function reapInherited(everyMs = 1_000): Disposable {
  let left = readChildren();
  const look = (): void => {
    left = left.filter((pid) => !isReaped(pid));
    if (left.length === 0) clearInterval(timer);
  };
  const timer = setInterval(look, everyMs).unref();
  look();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Pids of the children of the thread that called execve, which is the only one then; none where the kernel does not tell. */
function readChildren(): readonly number[] {
  try {
    const text = readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1');
    return text.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
