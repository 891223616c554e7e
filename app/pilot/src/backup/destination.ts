import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { lstat, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { SpikeError } from '@spike/error';
import type { Invocation } from '../invocation.ts';

export interface Stored {
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

/**
 * Writes a new file of mode 0600 that is there whole or not at all. Throws `entity_version_conflict` when something of
 * that name is there: it may be the only backup that opens.
 */
export async function writeNewFile(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<Stored> {
  const target = resolve(path);
  await refuseExisting(target);
  const draft = join(dirname(target), `.${basename(target)}.${randomBytes(8).toString('hex')}.tmp`);
  try {
    let stored: Stored;
    {
      await using file = await open(draft, 'wx', 0o600);
      stored = await writeAll(chunks, (chunk) => writeTo(file, chunk), signal);
      await file.sync();
    }
    await refuseExisting(target);
    await rename(draft, target);
    await using directory = await open(dirname(target), 'r');
    await directory.sync();
    return stored;
  } catch (error) {
    await rm(draft, { force: true });
    throw toReadable(path, error);
  }
}

/** Writes to standard output, at the speed of whoever reads it. */
export async function writeToOutput(
  { stdout, signal }: Invocation,
  chunks: AsyncIterable<Uint8Array>,
): Promise<Stored> {
  return await writeAll(
    chunks,
    async (chunk) => {
      if (!stdout.write(chunk)) await once(stdout, 'drain', { signal });
    },
    signal,
  );
}

/** Throws `entity_version_conflict` when something of that name is there. */
export async function refuseExisting(path: string): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw toReadable(path, error);
  });
  if (found === undefined) return;
  throw new SpikeError(
    'entity_version_conflict',
    `${path} is there already: name another file, or move it away`,
  );
}

async function writeAll(
  chunks: AsyncIterable<Uint8Array>,
  write: (chunk: Uint8Array) => Promise<void>,
  signal: AbortSignal,
): Promise<Stored> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    hash.update(chunk);
    bytes += chunk.length;
    await write(chunk);
  }
  return { bytes, sha256: hash.digest('hex') };
}

async function writeTo(file: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at)).bytesWritten;
}

function toReadable(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('syscall' in error) || !('code' in error)) return error;
  const reasons: Readonly<Record<string, string>> = {
    ENOSPC: 'there is no room left on its disk',
    EACCES: 'you may not write there',
    ENOENT: 'there is no such directory',
  };
  const reason = reasons[String(error.code)] ?? String(error.code);
  return new SpikeError('data_invalid_input', `${path} cannot be written: ${reason}`, { cause: error });
}
