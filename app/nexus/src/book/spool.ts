import { closeSync, constants, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { Log } from '@spike/log';
import { describeError } from '@spike/log';
import { isRecord } from '../service/record.ts';

/** What happened while the key was not here, or just before this process had to go: no path, no name, no SPIFFE ID. */
export interface SpoolLine {
  readonly type: 'alert' | 'history' | 'audit' | 'return';
  readonly kind: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

const mostLines = 500;
/** More than that we never write. */
const mostBytes = 64 * 1024;
const groupAndOthers = 0o077;

/**
 * A small file that is not sealed, since there is no key when it is written. It is read once at the start, and emptied
 * when what it holds is in the store. Written synchronously: a process that loses its identity has no other turn.
 */
export class Spool implements Disposable {
  readonly #fd: number;
  readonly #log: Log;
  /** What an earlier process, or the one that this process was before it dropped its memory, left. */
  readonly found: readonly SpoolLine[];
  #lines: readonly SpoolLine[];

  private constructor(fd: number, log: Log, found: readonly SpoolLine[]) {
    this.#fd = fd;
    this.#log = log;
    this.found = found;
    this.#lines = found;
  }

  /** Undefined, with a line in the log, where the file cannot be used: alerts are no reason not to serve. */
  static open(path: string, log: Log): Spool | undefined {
    let fd: number | undefined;
    try {
      const { O_RDWR, O_CREAT, O_APPEND, O_NOFOLLOW, O_NONBLOCK } = constants;
      fd = openSync(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK, 0o600);
      const stat = fstatSync(fd);
      if (
        !stat.isFile() ||
        stat.uid !== (process.getuid?.() ?? stat.uid) ||
        (stat.mode & groupAndOthers) !== 0
      )
        throw new TypeError('it is not a file of ours alone');
      if (stat.size > mostBytes) throw new RangeError('it is larger than we make it');
      return new Spool(fd, log, parse(readFileSync(fd, 'utf8')));
    } catch (error) {
      if (fd !== undefined) closeSync(fd);
      log.warn('spool.unusable', describeError(error));
      return undefined;
    }
  }

  add({ type, kind, at }: SpoolLine): void {
    if (this.#lines.length >= mostLines) return;
    this.#lines = [...this.#lines, { type, kind, at }];
    this.#write(encode({ type, kind, at }));
  }

  /** What is not in its place yet. */
  waiting(type: SpoolLine['type']): readonly SpoolLine[] {
    return this.#lines.filter((line) => line.type === type);
  }

  /** Everything of this type is in its place. */
  forget(type: SpoolLine['type']): void {
    const rest = this.#lines.filter((line) => line.type !== type);
    if (rest.length === this.#lines.length) return;
    this.#lines = rest;
    try {
      ftruncateSync(this.#fd, 0);
    } catch (error) {
      this.#log.warn('spool.failed', describeError(error));
      return;
    }
    if (rest.length > 0) this.#write(rest.map(encode).join(''));
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }

  #write(text: string): void {
    try {
      writeSync(this.#fd, text);
    } catch (error) {
      this.#log.warn('spool.failed', describeError(error));
    }
  }
}

function encode({ type, kind, at }: SpoolLine): string {
  return `${JSON.stringify({ type, kind, at })}\n`;
}

/** A line that was cut by a crash, or that another release wrote, is left out. */
function parse(text: string): readonly SpoolLine[] {
  return text.split('\n').flatMap((line): readonly SpoolLine[] => {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return [];
    }
    if (!isRecord(value)) return [];
    const { type, kind, at } = value;
    if (type !== 'alert' && type !== 'history' && type !== 'audit' && type !== 'return') return [];
    return typeof kind === 'string' && typeof at === 'number' ? [{ type, kind, at }] : [];
  });
}
