import { derTag } from './der-reader.ts';

/** DER of one element from its content. */
export function writeElement(tag: number, ...content: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(content);
  const head = [tag];
  if (body.length < 0x80) {
    head.push(body.length);
  } else {
    const digits: number[] = [];
    for (let rest = body.length; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
    head.push(0x80 | digits.length, ...digits);
  }
  return new Uint8Array(Buffer.concat([Uint8Array.from(head), body]));
}

export function writeSequence(...content: readonly Uint8Array[]): Uint8Array {
  return writeElement(derTag.sequence, ...content);
}

export function writeBoolean(value: boolean): Uint8Array {
  return writeElement(derTag.boolean, Uint8Array.of(value ? 0xff : 0x00));
}

/** An INTEGER that is not negative, from big-endian octets. */
export function writeInteger(octets: Uint8Array): Uint8Array {
  const first = octets.findIndex((octet) => octet !== 0);
  const digits = first === -1 ? Uint8Array.of(0) : octets.subarray(first);
  const sign = (digits[0] ?? 0) >= 0x80 ? Uint8Array.of(0) : new Uint8Array();
  return writeElement(derTag.integer, sign, digits);
}

export function writeSmallInteger(value: number): Uint8Array {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, value);
  return writeInteger(octets);
}

export function writeOid(dotted: string): Uint8Array {
  const [root = 0, second = 0, ...arcs] = dotted.split('.').map(Number);
  const octets: number[] = [];
  for (const arc of [root * 40 + second, ...arcs]) {
    const digits = [arc % 128];
    for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128))
      digits.unshift(0x80 | (rest % 128));
    octets.push(...digits);
  }
  return writeElement(derTag.oid, Uint8Array.from(octets));
}

export function writeBitOctets(octets: Uint8Array): Uint8Array {
  return writeElement(derTag.bitString, Uint8Array.of(0), octets);
}

/** A named bit list: DER drops the zero bits at its end (X.690 11.2.2). */
export function writeBits(bits: readonly number[]): Uint8Array {
  if (bits.length === 0) return writeElement(derTag.bitString, Uint8Array.of(0));
  const highest = Math.max(...bits);
  const octets = new Uint8Array((highest >> 3) + 1);
  for (const bit of bits) octets[bit >> 3] = (octets[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return writeElement(derTag.bitString, Uint8Array.of(7 - (highest & 7)), octets);
}

export function writeOctets(octets: Uint8Array): Uint8Array {
  return writeElement(derTag.octetString, octets);
}

export function writeText(tag: number, text: string): Uint8Array {
  return writeElement(tag, Buffer.from(text, 'utf8'));
}

/** UTCTime through the year 2049 and GeneralizedTime from then on (RFC 5280 4.1.2.5); fractions of a second are cut. */
export function writeTime(time: Date): Uint8Array {
  const digits = time
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replace(/[-:T]/g, '');
  const year = time.getUTCFullYear();
  return year >= 1950 && year < 2050
    ? writeText(derTag.utcTime, digits.slice(2))
    : writeText(derTag.generalizedTime, digits);
}
