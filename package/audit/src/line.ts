import { read } from 'node:fs';
import { promisify } from 'node:util';
import { unavailable } from './error.ts';

const readFile = promisify(read);

/** Longest line that is appended or read, in bytes. */
export const maxLineBytes = 4 * 1024 * 1024;
const chunkBytes = 64 * 1024;
export const newline = 0x0a;

export interface Line {
  /** The line without its newline. It is a view, good until the next line is asked for. */
  readonly bytes: Uint8Array;
  /** Offset of what follows the newline. */
  readonly end: number;
}

/**
 * The whole lines between two offsets of a file, with memory for one line and one chunk. `to` may move while it
 * runs. Bytes behind the last newline are not a line and are left out; a line beyond `maxLineBytes` throws
 * `audit_unavailable`.
 */
export async function* readLines(
  fd: number,
  from: number,
  to: () => number,
): AsyncGenerator<Line, void, undefined> {
  const chunk = Buffer.allocUnsafe(chunkBytes);
  let rest = Buffer.alloc(0);
  let at = from;
  while (at < to()) {
    const { bytesRead } = await readFile(fd, chunk, 0, Math.min(chunkBytes, to() - at), at);
    if (bytesRead === 0) return;
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0 && end < bytesRead; end = chunk.indexOf(newline, start)) {
      const part = chunk.subarray(start, end);
      const bytes = rest.byteLength === 0 ? part : Buffer.concat([rest, part]);
      rest = Buffer.alloc(0);
      start = end + 1;
      yield { bytes, end: at + start };
    }
    if (start < bytesRead) rest = Buffer.concat([rest, chunk.subarray(start, bytesRead)]);
    if (rest.byteLength > maxLineBytes)
      throw unavailable('holds a line that is longer than any that we write');
    at += bytesRead;
  }
}
