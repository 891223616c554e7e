import { SpiffeError } from '../error.ts';

/** Identifier octets (X.690 8.1.2). Only the low-tag-number form exists in certificates. */
export const derTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

export interface DerElement {
  readonly tag: number;
  /** The value without identifier and length. */
  readonly content: Uint8Array;
  /** The whole element as it was encoded. */
  readonly raw: Uint8Array;
}

/** Nothing in a certificate that is understood here nests deeper. */
const deepest = 16;

export function refuse(message: string, cause?: unknown): never {
  throw new SpiffeError('certificate_invalid', message, { cause });
}

/**
 * Reads the elements of one constructed value in order, and refuses every encoding that DER does not have (X.690
 * clause 10): indefinite and non-minimal lengths, elements that reach beyond their parent, bytes left over. Two
 * readers of one certificate must never see two certificates, so nothing is repaired.
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #depth: number;
  #offset = 0;

  constructor(bytes: Uint8Array, depth = 0) {
    if (depth > deepest) refuse('the encoding nests too deeply');
    this.#bytes = bytes;
    this.#depth = depth;
  }

  get done(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  /** The identifier octet of the next element; undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#offset];
  }

  /** Takes the next element, whatever it is. */
  next(): DerElement {
    const bytes = this.#bytes;
    const start = this.#offset;
    const tag = bytes[start];
    const first = bytes[start + 1];
    if (tag === undefined || first === undefined) refuse('the encoding ends too early');
    if ((tag & 0x1f) === 0x1f) refuse('the encoding has a tag number of more than one octet');
    let at = start + 2;
    let length = first;
    if (first >= 0x80) {
      const count = first & 0x7f;
      if (count === 0) refuse('the encoding has an indefinite length');
      if (count > 4) refuse('the encoding has a length of more than four octets');
      length = 0;
      for (let i = 0; i < count; i++) {
        const octet = bytes[at++];
        if (octet === undefined) refuse('the encoding ends too early');
        length = length * 256 + octet;
      }
      if (length < 0x80 || length < 256 ** (count - 1))
        refuse('the encoding has a length that is not minimal');
    }
    const end = at + length;
    if (end > bytes.length) refuse('an element reaches beyond what contains it');
    this.#offset = end;
    return { tag, content: bytes.subarray(at, end), raw: bytes.subarray(start, end) };
  }

  take(tag: number, what: string): DerElement {
    if (this.nextTag !== tag) refuse(`${what} is missing or of another type`);
    return this.next();
  }

  takeOptional(tag: number): DerElement | undefined {
    return this.nextTag === tag ? this.next() : undefined;
  }

  /** A reader of the content of the next element, which must have this tag. */
  enter(tag: number, what: string): DerReader {
    return this.into(this.take(tag, what));
  }

  enterOptional(tag: number): DerReader | undefined {
    const element = this.takeOptional(tag);
    return element === undefined ? undefined : this.into(element);
  }

  into(element: DerElement): DerReader {
    return new DerReader(element.content, this.#depth + 1);
  }

  /** Everything has been read, or this is not the structure that was expected. */
  end(what: string): void {
    if (!this.done) refuse(`${what} has bytes left over`);
  }
}

/** A BOOLEAN that is encoded; DER knows 00 and FF only. */
export function toBoolean(element: DerElement): boolean {
  const value = element.content[0];
  if (element.content.length !== 1 || (value !== 0x00 && value !== 0xff))
    refuse('a boolean is neither 00 nor FF');
  return value === 0xff;
}

/** The octets of an INTEGER, two's complement, checked to be as few as possible. */
export function toIntegerBytes(element: DerElement): Uint8Array {
  const [first, second] = element.content;
  if (first === undefined) refuse('an integer is empty');
  if (second !== undefined && ((first === 0x00 && second < 0x80) || (first === 0xff && second >= 0x80))) {
    refuse('an integer has more octets than it needs');
  }
  return element.content;
}

/** A small INTEGER that is not negative, at most 2^31 - 1. */
export function toSmallInteger(element: DerElement): number {
  const bytes = toIntegerBytes(element);
  if (bytes.length > 4 || (bytes[0] ?? 0) >= 0x80) refuse('an integer is negative or too large');
  return bytes.reduce((sum, octet) => sum * 256 + octet, 0);
}

/** Dotted text of an OBJECT IDENTIFIER. */
export function toOid(element: DerElement): string {
  const bytes = element.content;
  if (bytes.length === 0 || bytes.length > 64) refuse('an object identifier is empty or too long');
  if ((bytes[bytes.length - 1] ?? 0) >= 0x80) refuse('an object identifier ends in the middle of an arc');
  const arcs: string[] = [];
  let arc = 0n;
  let begun = false;
  for (const octet of bytes) {
    if (!begun && octet === 0x80) refuse('an object identifier has an arc that is not minimal');
    arc = (arc << 7n) | BigInt(octet & 0x7f);
    begun = octet >= 0x80;
    if (begun) continue;
    if (arcs.length === 0) {
      const root = arc < 40n ? 0n : arc < 80n ? 1n : 2n;
      arcs.push(root.toString(), (arc - root * 40n).toString());
    } else {
      arcs.push(arc.toString());
    }
    arc = 0n;
  }
  return arcs.join('.');
}

export interface BitString {
  readonly bytes: Uint8Array;
  readonly unused: number;
}

/** A BIT STRING, whose unused bits DER wants to be zero (X.690 11.2.1). */
export function toBitString(element: DerElement): BitString {
  const unused = element.content[0];
  const bytes = element.content.subarray(1);
  if (unused === undefined || unused > 7 || (unused > 0 && bytes.length === 0))
    refuse('a bit string is malformed');
  const last = bytes[bytes.length - 1] ?? 0;
  if ((last & ((1 << unused) - 1)) !== 0) refuse('a bit string has unused bits that are set');
  return { bytes, unused };
}

/** The whole octets of a BIT STRING that has no unused bits: keys and signatures. */
export function toBitOctets(element: DerElement): Uint8Array {
  const { bytes, unused } = toBitString(element);
  if (unused !== 0) refuse('a bit string is not made of whole octets');
  return bytes;
}

/** IA5String content: ASCII, so every octet is a character and comparing texts compares bytes. */
export function toAscii(content: Uint8Array): string {
  let text = '';
  for (const octet of content) {
    if (octet >= 0x80) refuse('an ASCII text has other characters');
    text += String.fromCharCode(octet);
  }
  return text;
}

/** UTCTime and GeneralizedTime in the one form that RFC 5280 4.1.2.5 allows: to the second, in UTC, ending in Z. */
export function toTime(element: DerElement): Date {
  const text = toAscii(element.content);
  const short = element.tag === derTag.utcTime;
  if (!short && element.tag !== derTag.generalizedTime) refuse('a time is of another type');
  if (!(short ? /^\d{12}Z$/ : /^\d{14}Z$/).test(text)) refuse('a time is not in the form of RFC 5280');
  const digits = short ? (Number(text.slice(0, 2)) >= 50 ? '19' : '20') + text : text;
  const part = (from: number, to: number) => Number(digits.slice(from, to));
  const [year, month, day] = [part(0, 4), part(4, 6), part(6, 8)];
  const [hour, minute, second] = [part(8, 10), part(10, 12), part(12, 14)];
  const time = new Date(0);
  time.setUTCFullYear(year, month - 1, day);
  time.setUTCHours(hour, minute, second);
  const same =
    time.getUTCFullYear() === year &&
    time.getUTCMonth() === month - 1 &&
    time.getUTCDate() === day &&
    time.getUTCHours() === hour &&
    time.getUTCMinutes() === minute &&
    time.getUTCSeconds() === second;
  if (!same) refuse('a time does not exist');
  return time;
}
