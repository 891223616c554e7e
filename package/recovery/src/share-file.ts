import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePrivateDirectory, readPrivateFile, writePrivateFile } from '@spike/config';
import { formatShare, parseShare, type RecoveryShare } from './share-text.ts';

const fileName = /^spike\.recovery\.\d+\.txt$/;
const maxFileBytes = 256;

/** Replaces all recovery shares in a directory of ours (0700) with these, a file of mode 0600 for each. Throws `fs_unsafe`. */
export async function writeShareFiles(directory: string, shares: readonly RecoveryShare[]): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await ensurePrivateDirectory(directory);
  const written = shares.map((share) => ({ name: `spike.recovery.${share.id}.txt`, share }));
  for (const { name, share } of written) await writePrivateFile(join(directory, name), formatShare(share));
  // Last, or a full disk would leave neither the old ones nor the new ones.
  const extra = (await shareFiles(directory)).filter((name) => !written.some((file) => file.name === name));
  for (const name of extra) await rm(join(directory, name));
}

/** The recovery shares in a directory, none when it is not there. Throws `fs_unsafe` when others could read it. */
export async function readShareFiles(directory: string): Promise<readonly RecoveryShare[]> {
  const names = await shareFiles(directory);
  if (names.length === 0) return [];
  await ensurePrivateDirectory(directory);
  const texts = await Promise.all(names.map((name) => readPrivateFile(join(directory, name), maxFileBytes)));
  return texts.filter((text) => text !== undefined).map((text) => parseShare(text.toString('utf8')));
}

async function shareFiles(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => fileName.test(name)).toSorted();
}
