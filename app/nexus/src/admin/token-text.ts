import { createHash, randomBytes } from 'node:crypto';
import { toBase32 } from './base32.ts';

const accessorBytes = 10;
const secretBytes = 32;
/** A multiple of 5, so that no bits are spare. */
const checksumBytes = 5;

/**
 * What a token looks like, for scanners: `spk_`, an accessor of 16 characters, 256 random bits in 52, and 8 of a checksum,
 * which is the first 40 bits of SHA-256 over everything before its underscore. All in `a` to `z` and `2` to `7`.
 */
export const tokenShape = /^spk_([a-z2-7]{16})_[a-z2-7]{52}_([a-z2-7]{8})$/;

export interface NewToken {
  readonly accessor: string;
  readonly text: string;
}

export function makeToken(random: (size: number) => Uint8Array = randomBytes): NewToken {
  const accessor = toBase32(random(accessorBytes));
  const body = `spk_${accessor}_${toBase32(random(secretBytes))}`;
  return { accessor, text: `${body}_${checksum(body)}` };
}

/** The accessor of what has the shape and the checksum of a token; undefined for everything else. */
export function accessorOf(text: string): string | undefined {
  const match = tokenShape.exec(text);
  if (match === null) return undefined;
  // No secret is compared here: a checksum finds a slip of the hand, and anybody can compute it.
  return checksum(text.slice(0, text.lastIndexOf('_'))) === match[2] ? match[1] : undefined;
}

function checksum(body: string): string {
  return toBase32(createHash('sha256').update(body).digest().subarray(0, checksumBytes));
}
