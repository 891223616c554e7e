import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Random } from '../random.ts';
import { call } from './control.ts';

/** What the process said on its standard output, at its place among the changes. */
const say = 256;
const headerBytes = 24;
/** Of an unsynced write each so many bytes reach the disk or do not. */
const pieceBytes = 4096;

interface Entry {
  readonly kind: number;
  readonly path: string;
  readonly offset: number;
  readonly bytes: number;
  readonly data: Buffer;
  /** Where it begins in the journal, and ends. */
  readonly begin: number;
  readonly end: number;
}

/** How much of what was never synced a power cut leaves. */
export type Mercy = 'nothing' | 'something' | 'everything';

interface Inode {
  /** Writes and truncations. */
  readonly changes: Entry[];
  /** Those before this place are on the disk for certain. */
  synced: number;
}

/** What the names of one directory went through. */
interface Renaming {
  readonly at: number;
  apply(names: Map<string, Inode>): void;
}

/** What shim.c wrote down: every change of the files, every sync, and what the process said. */
export class Journal {
  readonly #entries: readonly Entry[];

  private constructor(entries: readonly Entry[]) {
    this.#entries = entries;
  }

  static async read(path: string): Promise<Journal> {
    const whole = await readFile(path);
    const entries: Entry[] = [];
    for (let begin = 0; begin + headerBytes <= whole.byteLength;) {
      const kind = whole.readUInt32LE(begin);
      const pathEnd = begin + headerBytes + whole.readUInt32LE(begin + 4);
      const bytes = Number(whole.readBigUInt64LE(begin + 16));
      const holdsData = kind === call.write || kind === call.rename || kind === say;
      const end = pathEnd + (holdsData ? bytes : 0);
      // A process that is killed may leave the last one incomplete.
      if (end > whole.byteLength) break;
      entries.push({
        kind,
        path: whole.toString('utf8', begin + headerBytes, pathEnd),
        offset: Number(whole.readBigUInt64LE(begin + 8)),
        bytes,
        data: whole.subarray(pathEnd, holdsData ? end : pathEnd),
        begin,
        end,
      });
      begin = end;
    }
    return new Journal(entries);
  }

  /** Places between two entries: moments at which the power can go. */
  get moments(): readonly number[] {
    return this.#entries.map(({ end }) => end);
  }

  /** All that the process had said by then. */
  saidBy(moment: number): string {
    const said = this.#entries.filter(({ kind, end }) => kind === say && end <= moment);
    return Buffer.concat(said.map(({ data }) => data)).toString('utf8');
  }

  /** The files as they are found after the power went at this moment. */
  cut(moment: number, mercy: Mercy, random: Random): ReadonlyMap<string, Buffer> {
    const names = new Map<string, Inode>();
    const renamings = new Map<string, Renaming[]>();
    const syncedFolders = new Map<string, number>();
    for (const entry of this.#entries) {
      if (entry.end > moment) break;
      const { kind, path } = entry;
      if (kind === say) continue;
      const inode = names.get(path);
      if (kind === call.sync) {
        // Of a file, or of a directory for the names in it.
        if (inode === undefined) syncedFolders.set(path, entry.offset);
        else inode.synced = entry.offset;
        continue;
      }
      if (kind === call.write || kind === call.truncate) {
        assert(inode !== undefined, `${path} was made before anything was written down`);
        inode.changes.push(entry);
        continue;
      }
      const renaming = renamingOf(entry, inode);
      renaming.apply(names);
      renamings.set(dirname(path), [...(renamings.get(dirname(path)) ?? []), renaming]);
    }
    const left = new Map<string, Inode>();
    for (const [folder, all] of renamings) {
      const certain = all.filter(({ at }) => at < (syncedFolders.get(folder) ?? 0)).length;
      // A file system keeps the order of names, so what is left is a beginning.
      const count =
        mercy === 'nothing'
          ? certain
          : mercy === 'everything'
            ? all.length
            : random.integer(certain, all.length);
      for (const renaming of all.slice(0, count)) renaming.apply(left);
    }
    return new Map([...left].map(([name, inode]) => [name, contentOf(inode, mercy, random)]));
  }
}

function renamingOf(entry: Entry, inode: Inode | undefined): Renaming {
  const { kind, path, begin: at } = entry;
  switch (kind) {
    case call.open: {
      const made: Inode = { changes: [], synced: 0 };
      return { at, apply: (names) => void names.set(path, made) };
    }
    case call.unlink:
      return { at, apply: (names) => void names.delete(path) };
    case call.rename: {
      const to = entry.data.toString('utf8');
      return {
        at,
        apply: (names) => {
          if (inode !== undefined) names.set(to, inode);
          names.delete(path);
        },
      };
    }
    default:
      throw new Error(`the journal has an entry of the unknown kind ${kind}`);
  }
}

function contentOf({ changes, synced }: Inode, mercy: Mercy, random: Random): Buffer {
  let content = Buffer.alloc(0);
  let length = 0;
  const write = (bytes: Buffer, offset: number): void => {
    const end = offset + bytes.byteLength;
    if (end > content.byteLength) {
      const larger = Buffer.alloc(2 * end);
      content.copy(larger, 0, 0, length);
      content = larger;
    }
    bytes.copy(content, offset);
    length = Math.max(length, end);
  };
  for (const { kind, begin, bytes, data, offset } of changes) {
    const isCertain = begin < synced || mercy === 'everything';
    if (!isCertain && mercy === 'nothing') continue;
    if (kind === call.truncate) {
      if (!isCertain && random.oneIn(2)) continue;
      if (bytes < length) content.fill(0, bytes, length);
      else write(Buffer.alloc(0), bytes);
      length = bytes;
      continue;
    }
    for (let at = 0; at < data.byteLength; at += pieceBytes) {
      if (isCertain || random.oneIn(2)) write(data.subarray(at, at + pieceBytes), offset + at);
    }
  }
  return content.subarray(0, length);
}

export async function writeFiles(directory: string, files: ReadonlyMap<string, Buffer>): Promise<void> {
  for (const [name, content] of files) {
    const path = join(directory, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(path, content, { mode: 0o600 });
  }
}
