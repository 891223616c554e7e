import { callFallocate } from './libc.ts';

/**
 * Has the file system keep so many bytes from this offset on for an open file, which does not become longer: writes there
 * find room on a full disk. False when there is none to keep; throws `host_refused` where the system or the file system
 * has no such thing.
 */
export function reserveSpace(fd: number, from: number, bytes: number): boolean {
  return callFallocate(fd, from, bytes);
}
