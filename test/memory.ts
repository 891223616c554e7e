import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

const chunkBytes = 4 * 1024 * 1024;
const pageBytes = 4096;
const zeroPage = Buffer.alloc(pageBytes);
/** No key begins with more. */
const leadingZeros = 16;

/** Whether this user may read the memory of a process that is not dumpable. */
export const canReadMemory = process.platform === 'linux' && process.getuid?.() === 0;

/**
 * The ways in which bytes may lie in the memory of a program: as they are, and as hex, base64 (at any offset) and list
 * of decimal numbers, each of these with one or with two bytes for a character.
 */
export function formsInMemory(bytes: Uint8Array): readonly Buffer[] {
  const raw = Buffer.from(bytes);
  const hex = raw.toString('hex');
  const base64 = [0, 1, 2].flatMap((offset) => {
    const padded = Buffer.concat([Buffer.alloc(offset), raw]);
    return (['base64', 'base64url'] as const).map((encoding) =>
      // The first and last characters depend on what lies around them.
      padded
        .toString(encoding)
        .replace(/=+$/, '')
        .slice(offset === 0 ? 0 : 4, -2),
    );
  });
  const texts = [hex, hex.toUpperCase(), ...base64, raw.join(','), raw.join(', ')];
  return [raw, ...texts.flatMap((text) => [Buffer.from(text, 'latin1'), Buffer.from(text, 'utf16le')])];
}

/** What is looked for, by name; each name counts as found when one of its forms is. */
export class Wanted {
  readonly #forms: { readonly name: string; readonly form: Buffer }[] = [];
  /** By the first two bytes, so that one pass looks for all of them. */
  readonly #byStart = new Map<number, { readonly name: string; readonly form: Buffer }[]>();
  readonly #isStart = new Uint8Array(65_536);
  longest = 0;

  add(name: string, bytes: Uint8Array): void {
    assert.ok(bytes.length >= 16, 'what is shorter could be there by chance');
    for (const form of formsInMemory(bytes)) {
      const start = form.readUInt16LE(0);
      this.#isStart[start] = 1;
      this.#byStart.set(start, [...(this.#byStart.get(start) ?? []), { name, form }]);
      this.#forms.push({ name, form });
      this.longest = Math.max(this.longest, form.length);
    }
  }

  get names(): readonly string[] {
    return [...new Set(this.#forms.map(({ name }) => name))];
  }

  /** Adds the names of those that are in it. */
  findIn(memory: Buffer, found: Set<string>): void {
    const isStart = this.#isStart;
    for (let page = 0; page < memory.length; page += pageBytes) {
      const end = Math.min(page + pageBytes, memory.length);
      const isEmpty = memory.subarray(page, end).equals(zeroPage);
      // A key may begin with zeros, and a page end with its beginning.
      for (let next = isEmpty ? end - leadingZeros : page; next < end; next++) {
        const start = (memory[next] ?? 0) | ((memory[next + 1] ?? 0) << 8);
        if (isStart[start] === 1) this.#matchAt(memory, next, start, found);
      }
    }
  }

  #matchAt(memory: Buffer, at: number, start: number, found: Set<string>): void {
    for (const { name, form } of this.#byStart.get(start) ?? []) {
      if (form.equals(memory.subarray(at, at + form.length))) found.add(name);
    }
  }
}

export interface Scan {
  readonly found: ReadonlySet<string>;
  /** Bytes that were read. */
  readonly bytes: number;
}

/**
 * Looks through the memory of a process, of whatever program, for everything that is wanted. Files that are mapped and
 * cannot be written are left out: they are what is on the disk.
 */
export function scanMemory(pid: number, wanted: Wanted): Scan {
  const found = new Set<string>();
  let bytes = 0;
  const fd = openSync(`/proc/${pid}/mem`, 'r');
  try {
    for (const { from, to } of regionsOf(pid)) {
      const size = Math.min(chunkBytes, to - from);
      const buffer = Buffer.alloc(size + wanted.longest);
      let kept = 0;
      for (let at = from; at < to; at += size) {
        const read = readAt(fd, buffer.subarray(kept), at, Math.min(size, to - at));
        if (read === 0) break;
        bytes += read;
        wanted.findIn(buffer.subarray(0, kept + read), found);
        // What lies across the border is found with the next part.
        const end = kept + read;
        kept = Math.min(wanted.longest, end);
        buffer.copyWithin(0, end - kept, end);
      }
    }
  } finally {
    closeSync(fd);
  }
  return { found, bytes };
}

/** proc(5): `from-to perms offset dev inode path`. */
function regionsOf(pid: number): readonly { readonly from: number; readonly to: number }[] {
  return readFileSync(`/proc/${pid}/maps`, 'latin1')
    .split('\n')
    .flatMap((line) => {
      const match = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \S+ *(.*)$/.exec(line);
      const [, from = '', to = '', permissions = '', path = ''] = match ?? [];
      if (!permissions.startsWith('r') || path.startsWith('[v')) return [];
      if (path.startsWith('/') && permissions[1] !== 'w') return [];
      return [{ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) }];
    });
}

/** 0 where nothing can be read, which the kernel has for some mappings of devices. */
function readAt(fd: number, buffer: Buffer, at: number, length: number): number {
  try {
    return readSync(fd, buffer, 0, length, at);
  } catch {
    return 0;
  }
}
