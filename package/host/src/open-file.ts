import { readFileSync } from 'node:fs';

/**
 * How many files, sockets included, this process may hold open; `undefined` where the kernel does not say so. Node has
 * raised its own soft limit to the hard one.
 */
export function readOpenFileLimit(path = '/proc/self/limits'): number | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  const soft = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return soft === undefined ? undefined : Number(soft);
}
