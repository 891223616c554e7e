import {
  closeSync,
  constants,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  writeSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { SpikeError } from '@spike/error';

/** What can fail on a disk that is full or broken, in one place so that a test can make it fail. */
export interface Disk {
  write(fd: number, bytes: Uint8Array, offset: number): void;
  truncate(fd: number, bytes: number): void;
  sync(fd: number): Promise<void>;
}

export const realDisk: Disk = {
  write: writeFully,
  truncate: ftruncateSync,
  sync: promisify(fdatasync),
};

/**
 * Opens a file that only we may read or write, making it with mode 0600. Throws `fs_unsafe` for a link, another
 * kind of file, another owner or wider permissions.
 */
export function openPrivate(path: string): number {
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  let fd: number;
  try {
    fd = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ELOOP') throw unsafe(path);
    throw error;
  }
  const found = fstatSync(fd);
  const uid = process.getuid?.();
  if (found.isFile() && (uid === undefined || found.uid === uid) && (found.mode & 0o077) === 0) return fd;
  closeSync(fd);
  throw unsafe(path);
}

/** A file whose name is not on the disk is lost with its lines. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes all of the bytes at this offset: write(2) may take fewer than it is given, also just before the disk is full. */
function writeFully(fd: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.byteLength;) {
    const written = writeSync(fd, bytes, done, bytes.byteLength - done, offset + done);
    if (written === 0) throw new Error('nothing was written');
    done += written;
  }
}

function unsafe(path: string): SpikeError {
  return new SpikeError(
    'fs_unsafe',
    `${path} must be a regular file of ours that nobody else can read or write`,
    {
      detail: { path },
    },
  );
}
