import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePrivateDirectory, readPrivateFile, writePrivateFile } from '@spike/config';
import { SpikeError, toSpikeError } from '@spike/error';
import { formatShare, parseShare, type RecoveryShare } from './share-text.ts';

const fileName = /^spike\.recovery\.\d+\.txt$/;
/** Written whole, and not in its place yet. */
const draftName = /^\.spike\.recovery\.\d+\.txt\.new$/;
const maxFileBytes = 256;

export interface WriteOptions {
  /** Also shares that are others than these: of another instance, or of an earlier split. */
  readonly replace?: boolean;
}

/**
 * Puts these recovery shares into a directory of ours (0700), a file of mode 0600 for each, in the place of all that are
 * there. Every new file is complete on the disk before the first old one goes. Throws `fs_unsafe`, and
 * `entity_version_conflict` when other shares are there: they may be all that opens a store or a backup.
 */
export async function writeShareFiles(
  directory: string,
  shares: readonly RecoveryShare[],
  { replace = false }: WriteOptions = {},
): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await ensurePrivateDirectory(directory);
  const written = shares.map((share) => ({
    name: `spike.recovery.${share.id}.txt`,
    text: formatShare(share),
  }));
  if (!replace) await refuseOthers(directory, new Map(written.map(({ name, text }) => [name, text])));
  try {
    for (const { name, text } of written) await writePrivateFile(join(directory, draftOf(name)), text);
  } catch (error) {
    for (const { name } of written) await rm(join(directory, draftOf(name)), { force: true });
    throw error;
  }
  for (const { name } of written) await rename(join(directory, draftOf(name)), join(directory, name));
  await syncDirectory(directory);
  const extra = (await shareFiles(directory)).filter((name) => !written.some((file) => file.name === name));
  const drafts = (await readdir(directory)).filter((name) => draftName.test(name));
  for (const name of [...extra, ...drafts]) await rm(join(directory, name));
}

/**
 * The recovery shares in a directory, none when it is not there. A file that is no share is told to `onProblem` and left
 * out, or thrown where there is none. Throws `fs_unsafe` when others could read the directory.
 */
export async function readShareFiles(
  directory: string,
  onProblem: (error: SpikeError) => void = rethrow,
): Promise<readonly RecoveryShare[]> {
  const names = await shareFiles(directory);
  if (names.length === 0) return [];
  await ensurePrivateDirectory(directory);
  const shares: RecoveryShare[] = [];
  for (const name of names) {
    const path = join(directory, name);
    try {
      const text = await readPrivateFile(path, maxFileBytes);
      if (text !== undefined) shares.push(parseShare(text.toString('utf8')));
      text?.fill(0);
    } catch (thrown) {
      const { code, message } = toSpikeError(thrown);
      onProblem(new SpikeError(code, message.includes(path) ? message : `${path}: ${message}`));
    }
  }
  return shares;
}

async function refuseOthers(directory: string, wanted: ReadonlyMap<string, string>): Promise<void> {
  const others: string[] = [];
  for (const name of await shareFiles(directory)) {
    const there = await readPrivateFile(join(directory, name), maxFileBytes);
    if (there !== undefined && there.toString('utf8').trim().toLowerCase() !== wanted.get(name))
      others.push(name);
    there?.fill(0);
  }
  if (others.length === 0) return;
  throw new SpikeError(
    'entity_version_conflict',
    `${directory} holds recovery shares of another instance or of an earlier split (${others.join(', ')}), which may be ` +
      'all that opens a store or a backup: move them away first, or replace them for good with --replace',
  );
}

async function shareFiles(directory: string): Promise<readonly string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.filter((name) => fileName.test(name)).toSorted();
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}

function draftOf(name: string): string {
  return `.${name}.new`;
}

function rethrow(error: SpikeError): never {
  throw error;
}
