import { randomInt } from 'node:crypto';
import { damaged, decodeRecord, encodeRecord, readNumber, readText } from '../../service/record.ts';

/** Bits of the Bloom filter of all paths, and of the one of a minute. Powers of two. */
const bits = 16_384;
const minuteBits = 2_048;
const hashes = 4;
const minuteMs = 60_000;

/** What one read of one SPIFFE ID was. */
export interface Seen {
  /** As far as the filter tells: a path that is new may be taken for a known one, never the other way round. */
  readonly known: boolean;
  /** Different paths in this minute. */
  readonly distinct: number;
  /** There is more to keep than before. */
  readonly changed: boolean;
}

interface Kept {
  readonly seed: number;
  readonly peak: number;
  readonly readAt: number;
  readonly filter: Uint8Array;
}

/**
 * What one SPIFFE ID reads, in 2.3 KiB and without a single path: a Bloom filter of 16,384 bits with 4 hashes, and the
 * most different paths in one minute. Of the new paths it misses 0.2 % when it knows 1,000, 2.2 % at 2,000, 15 % at 4,000.
 */
export class Sketch {
  readonly id: string;
  /** Milliseconds since 1970 of its first read. */
  readonly since: number;
  /** Milliseconds since 1970 of its last read. */
  readAt: number;
  /** The same as the store has it, which is some hours behind. */
  notedAt: number;
  /** Most different paths in one minute of the time in which it was learnt. */
  peak: number;
  readonly #seed: number;
  readonly #filter: Uint8Array;
  readonly #minute = new Uint8Array(minuteBits / 8);
  #minuteFrom = 0;
  #distinct = 0;

  constructor(id: string, since: number, kept?: Kept) {
    this.id = id;
    this.since = since;
    this.readAt = kept?.readAt ?? since;
    this.notedAt = this.readAt;
    this.#seed = kept?.seed ?? randomInt(2 ** 32);
    this.peak = kept?.peak ?? 0;
    this.#filter = kept?.filter ?? new Uint8Array(bits / 8);
  }

  see(path: string, now: number): Seen {
    const first = hash(path, this.#seed);
    // Odd, so that it visits different bits (Kirsch and Mitzenmacher: two hashes stand for many).
    const second = hash(path, first) | 1;
    let known = true;
    for (let n = 0; n < hashes; n++) {
      if (put(this.#filter, (first + n * second) & (bits - 1))) known = false;
    }
    if (now - this.#minuteFrom >= minuteMs || now < this.#minuteFrom) {
      this.#minuteFrom = now;
      this.#minute.fill(0);
      this.#distinct = 0;
    }
    if (put(this.#minute, (second >>> 1) & (minuteBits - 1))) this.#distinct += 1;
    return { known, distinct: this.#distinct, changed: !known };
  }

  encode(): Uint8Array {
    const { id, since, readAt, peak } = this;
    const filter = Buffer.from(this.#filter).toString('base64');
    return encodeRecord({ id, since, readAt, peak, seed: this.#seed, filter });
  }

  /** Throws `store_integrity`. */
  static decode(bytes: Uint8Array): Sketch {
    const record = decodeRecord(bytes);
    const filter = Uint8Array.from(Buffer.from(readText(record, 'filter'), 'base64'));
    if (filter.length !== bits / 8) throw damaged('what is known of an access has another size');
    const since = readNumber(record, 'since');
    const kept = {
      seed: readNumber(record, 'seed'),
      peak: readNumber(record, 'peak'),
      // Builds before this did not write it.
      readAt: record['readAt'] === undefined ? since : readNumber(record, 'readAt'),
      filter,
    };
    return new Sketch(readText(record, 'id'), since, kept);
  }
}

/** Whether the bit was not set before. */
function put(field: Uint8Array, bit: number): boolean {
  const at = bit >>> 3;
  const mask = 1 << (bit & 7);
  const before = field[at] ?? 0;
  field[at] = before | mask;
  return (before & mask) === 0;
}

/** MurmurHash3's way of mixing, over UTF-16 code units: quick, and of no secret. */
function hash(text: string, seed: number): number {
  let state = seed | 0;
  for (let at = 0; at < text.length; at++) {
    let unit = Math.imul(text.charCodeAt(at), 0xcc9e2d51);
    unit = (unit << 15) | (unit >>> 17);
    state ^= Math.imul(unit, 0x1b873593);
    state = (state << 13) | (state >>> 19);
    state = (Math.imul(state, 5) + 0xe6546b64) | 0;
  }
  state ^= text.length;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
