import { randomBytes } from 'node:crypto';
import { toBase32 } from './base32.ts';

/** A one-time password that nobody has used by then is worth nothing (admin.md D). */
export const oneTimeMs = 24 * 3_600_000;
const groups = 5;
const groupCharacters = 5;

/** 125 random bits in five groups that can be read out: `abcde-fghij-…`. It is a password for as long as it lasts. */
export function makeOneTimePassword(): string {
  return toGroups(toBase32(randomBytes(16)).slice(0, groups * groupCharacters));
}

/** 128 random bits, for the code that `init` asks for: five groups and one character. */
export function makeInitCode(): string {
  return toGroups(toBase32(randomBytes(16)));
}

/** What somebody typed, as it was given out: blanks and letter case are no matter. */
export function normalizeCode(text: string): string {
  return toGroups(text.toLowerCase().replaceAll(/[\s-]/g, ''));
}

function toGroups(text: string): string {
  return text.match(/.{1,5}/g)?.join('-') ?? '';
}
