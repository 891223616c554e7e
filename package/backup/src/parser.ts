import { createHash, timingSafeEqual } from 'node:crypto';
import { SpikeError } from '@spike/error';
import type { Table } from '@spike/store';
import { decodeCheckpoint, decodeHead, decodeHeader, decodeRow, decodeTrailer } from './frame.ts';
import {
  backupFormat,
  damagedBackup,
  frameHeadBytes,
  frameKinds,
  hashBytes,
  longestFrame,
  magic,
  mostCheckpoints,
  mostTables,
  type BackupTrailer,
  type Frame,
  type FrameKind,
} from './format.ts';

/** What may come next, by what came last. */
const following: Readonly<Record<FrameKind | 'magic', readonly FrameKind[]>> = {
  magic: ['header'],
  header: ['head'],
  head: ['checkpoint', 'row', 'trailer'],
  checkpoint: ['checkpoint', 'row', 'trailer'],
  row: ['row', 'trailer'],
  trailer: [],
};
const kindNames: readonly FrameKind[] = ['header', 'head', 'checkpoint', 'row', 'trailer'];
const longestMagic = 32;

/**
 * Reads a backup from pieces of any size. It keeps one frame at most, refuses a length before it makes room for it, and
 * holds the order of frames and keys, the counts and the hash against what it reads. What it cannot know is whether rows
 * open, and whether Nexus made it: that is for whoever has the keyring. All methods throw SpikeError `data_invalid_input`.
 */
export class BackupParser {
  readonly #hash = createHash('sha256');
  readonly #counts = new Map<Table, number>();
  /** What was read last. */
  #state: FrameKind | 'magic' = 'magic';
  /** What the bytes that come now belong to. */
  #part: 'line' | 'head' | 'payload' = 'line';
  #pending: Buffer = Buffer.alloc(longestMagic);
  #filled = 0;
  /** Of the frame whose payload is read. */
  #kind: FrameKind = 'header';
  #frameHead: Buffer = Buffer.alloc(0);
  #checkpoints = 0;
  #lastKey: Uint8Array | undefined;
  #lastTable: Table | undefined;
  #bytes = 0;

  /** How far it has come. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the trailer was read, so that nothing may follow. */
  get complete(): boolean {
    return this.#state === 'trailer';
  }

  /** The frames that are whole with these bytes. */
  *push(bytes: Uint8Array): Generator<Frame, void, undefined> {
    let rest = bytes;
    while (rest.length > 0) {
      if (this.complete) throw damagedBackup('something follows its end');
      const used = this.#part === 'line' ? this.#readLine(rest) : this.#fill(rest);
      rest = rest.subarray(used);
      this.#bytes += used;
      if (this.#part === 'line' || this.#filled < this.#pending.length) continue;
      if (this.#part === 'head') this.#beginFrame(this.#pending);
      if (this.#part === 'payload' && this.#filled === this.#pending.length) yield this.#finishFrame();
    }
  }

  /** Call it when there are no more bytes: throws for a backup that is cut off. */
  end(): void {
    if (!this.complete) throw damagedBackup('its end is missing');
  }

  #readLine(bytes: Uint8Array): number {
    const lineEnd = bytes.indexOf(0x0a);
    const used = lineEnd < 0 ? bytes.length : lineEnd + 1;
    if (this.#filled + used > longestMagic) throw notABackup();
    this.#pending.set(bytes.subarray(0, used), this.#filled);
    this.#filled += used;
    if (lineEnd < 0) return used;
    const line = this.#pending.toString('latin1', 0, this.#filled - 1);
    const number = line.slice(magic.length);
    if (!line.startsWith(magic) || !/^[1-9]\d{0,8}$/.test(number)) throw notABackup();
    if (Number(number) > backupFormat) {
      throw new SpikeError(
        'data_invalid_input',
        `this backup has format ${number}, this release reads ${backupFormat}: use the release that made it, or a later one`,
        { detail: { format: Number(number) } },
      );
    }
    this.#hash.update(this.#pending.subarray(0, this.#filled));
    this.#await('head', frameHeadBytes);
    return used;
  }

  #fill(bytes: Uint8Array): number {
    const used = Math.min(bytes.length, this.#pending.length - this.#filled);
    this.#pending.set(bytes.subarray(0, used), this.#filled);
    this.#filled += used;
    return used;
  }

  #beginFrame(head: Buffer): void {
    const kind = kindNames.find((name) => frameKinds[name] === head[0]);
    if (kind === undefined || !following[this.#state].includes(kind)) {
      throw damagedBackup('a part of it is not where it belongs');
    }
    const length = head.readUInt32BE(1);
    if (length > longestFrame[kind]) throw damagedBackup('a part of it is longer than any can be');
    // The trailer's own hash is over its head, too; the digest is over what is before it.
    if (kind !== 'trailer') this.#hash.update(head);
    this.#kind = kind;
    this.#frameHead = head;
    this.#await('payload', length);
  }

  #finishFrame(): Frame {
    const frame = this.#decode(this.#kind, this.#pending);
    this.#state = this.#kind;
    this.#await('head', frameHeadBytes);
    return frame;
  }

  #decode(kind: FrameKind, payload: Buffer): Frame {
    try {
      if (kind === 'trailer') return { kind, trailer: this.#readTrailer(payload) };
      this.#hash.update(payload);
      switch (kind) {
        case 'header':
          return { kind, header: decodeHeader(payload) };
        case 'head':
          return { kind, ...decodeHead(payload) };
        case 'checkpoint':
          this.#checkpoints += 1;
          if (this.#checkpoints > mostCheckpoints) throw damagedBackup('it has too many checkpoints');
          return { kind, text: decodeCheckpoint(payload) };
        case 'row': {
          const { table, row } = decodeRow(payload);
          this.#noteRow(table, row.key);
          return { kind, table, row };
        }
      }
    } catch (thrown) {
      if (thrown instanceof SpikeError && thrown.message.startsWith('this backup')) throw thrown;
      throw damagedBackup(`its ${kind} is not understood`, thrown);
    }
  }

  /** Keys rise within a table, and no table comes twice: so no record does, and none was put in another's place. */
  #noteRow(table: Table, key: Uint8Array): void {
    if (table !== this.#lastTable) {
      if (this.#counts.has(table) || this.#counts.size === mostTables) {
        throw damagedBackup('a table comes twice');
      }
    } else if (this.#lastKey !== undefined && Buffer.compare(this.#lastKey, key) >= 0) {
      throw damagedBackup('its records are not in their order');
    }
    this.#lastTable = table;
    this.#lastKey = key;
    this.#counts.set(table, (this.#counts.get(table) ?? 0) + 1);
  }

  #readTrailer(payload: Buffer): BackupTrailer {
    if (payload.length < hashBytes) throw damagedBackup('its end is too short');
    const digest = this.#hash.copy().digest();
    const fields = payload.subarray(0, payload.length - hashBytes);
    const whole = this.#hash.update(this.#frameHead).update(fields).digest();
    if (!timingSafeEqual(whole, payload.subarray(payload.length - hashBytes))) {
      throw damagedBackup('its hash is another');
    }
    const trailer = decodeTrailer(fields);
    const same =
      trailer.counts.length === this.#counts.size &&
      trailer.counts.every(({ table, rows }) => this.#counts.get(table) === rows);
    if (!same) throw damagedBackup('the number of its records is another');
    return { ...trailer, digest };
  }

  #await(part: 'head' | 'payload', length: number): void {
    this.#part = part;
    this.#pending = Buffer.allocUnsafeSlow(length);
    this.#filled = 0;
  }
}

function notABackup(): SpikeError {
  return new SpikeError('data_invalid_input', 'this opens to something else than a backup of SPIKE');
}
