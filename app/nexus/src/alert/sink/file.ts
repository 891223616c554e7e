import { constants } from 'node:fs';
import { open, rename, type FileHandle } from 'node:fs/promises';
import { QueuedSink } from './queued.ts';
import { encodeItem, type OnState } from './sink.ts';

export interface FileSinkOptions {
  readonly path: string;
  /** At this size the file becomes `PATH.1`, whose place it takes. */
  readonly mostBytes?: number;
  readonly onState: OnState;
}

const groupAndOthers = 0o077;

/** JSON lines in a file of mode 0600, opened for each line, so that it may be moved away at any time. */
export class FileSink extends QueuedSink {
  constructor({ path, mostBytes = 16 * 1024 * 1024, onState }: FileSinkOptions) {
    super('file', {
      deliver: async ({ item }) => await append(path, `${encodeItem(item)}\n`, mostBytes),
      onState,
      concurrency: 1,
      most: 500,
      retryMs: 1_000,
      longestRetryMs: 60_000,
      tries: 100,
    });
  }
}

async function append(path: string, line: string, mostBytes: number): Promise<void> {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  try {
    const size = await assertPrivate(file);
    if (size < mostBytes) return await file.appendFile(line);
  } finally {
    await file.close();
  }
  await rename(path, `${path}.1`);
  await append(path, line, Infinity);
}

async function assertPrivate(file: FileHandle): Promise<number> {
  const stat = await file.stat();
  if (!stat.isFile()) throw new TypeError('it is no regular file');
  const uid = process.getuid?.();
  if ((uid !== undefined && stat.uid !== uid) || (stat.mode & groupAndOthers) !== 0)
    throw new TypeError('it belongs to others, or they may read or write it');
  return stat.size;
}
