import { closeSync, constants, openSync } from 'node:fs';
import { SpikeError } from '@spike/error';
import { callFlock } from './libc.ts';

/**
 * Holds a lock file until disposal or the end of this process, however it ends; undefined when another process holds
 * it. The file stays: removing it would let two processes lock two files of one name.
 */
export function openFileLock(path: string): Disposable | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch (error) {
    throw new SpikeError('host_refused', `${path} can't be opened as a lock`, { cause: error });
  }
  const close = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  try {
    if (callFlock(fd)) return { [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
  close();
  return undefined;
}
