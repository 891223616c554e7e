import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { SpikeError } from '@spike/error';

const groupAndOthers = 0o077;

/** Makes sure of a directory that is ours alone: a real directory (no symbolic link), our uid, mode 0700. Throws `fs_unsafe`. */
export async function ensurePrivateDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await checkPrivateDirectory(path);
}

/** Throws `fs_unsafe` unless what is there is a directory that is ours alone. Undefined when there is nothing. */
export async function checkPrivateDirectory(path: string): Promise<true | undefined> {
  const stat = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (stat === undefined) return undefined;
  if (!stat.isDirectory()) throw unsafe(path, 'is not a directory (a symbolic link is not followed)');
  checkOwner(path, stat);
  return true;
}

/** Reads a small file that is ours alone: a regular file, our uid, mode 0600. Undefined when there is none; throws `fs_unsafe`. */
export async function readPrivateFile(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      if (error.code === 'ELOOP') throw unsafe(path, 'is a symbolic link');
      throw error;
    },
  );
  if (file === undefined) return undefined;
  try {
    const stat = await file.stat();
    if (!stat.isFile()) throw unsafe(path, 'is not a regular file');
    checkOwner(path, stat);
    if (stat.size > maxBytes) throw unsafe(path, `is larger than ${maxBytes} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Writes a 0600 file so that a reader, or a crash at any moment, meets either the old content or the new one. */
export async function writePrivateFile(path: string, content: string | Uint8Array): Promise<void> {
  const draft = join(dirname(path), `.${randomBytes(8).toString('hex')}.tmp`);
  try {
    const file = await open(draft, 'wx', 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function checkOwner(path: string, stat: Stats): void {
  const uid = process.getuid?.();
  if (uid !== undefined && stat.uid !== uid)
    throw unsafe(path, `belongs to uid ${stat.uid}, not to us (${uid})`);
  if ((stat.mode & groupAndOthers) !== 0) {
    throw unsafe(path, `may be read or written by others; run: chmod go= ${JSON.stringify(path)}`);
  }
}

function unsafe(path: string, rule: string): SpikeError {
  return new SpikeError('fs_unsafe', `${path} ${rule}`, { detail: { path } });
}
