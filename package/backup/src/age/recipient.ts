import { SpikeError } from '@spike/error';
import { Encrypter, generateHybridIdentity, identityToRecipient } from 'age-encryption';

/** Whom a backup is sealed to: what `age-keygen -pq` prints, or an older recipient. */
export interface Recipient {
  readonly text: string;
  /** Kept from quantum computers as well; ML-KEM-768 and X25519 together. */
  readonly isHybrid: boolean;
}

export interface Identity {
  /** `AGE-SECRET-KEY-PQ-1…`; opens every backup that is sealed to its recipient. */
  readonly secret: string;
  readonly recipient: string;
}

const hybridPrefix = 'age1pq1';
/** A hybrid recipient has 1,959 characters. */
const longestRecipient = 4096;
/** Each costs 1.6 KiB in the header, and so many are tried when it is opened. */
export const mostRecipients = 32;
const shownCharacters = { first: 14, last: 6 } as const;

export async function generateIdentity(): Promise<Identity> {
  const secret = await generateHybridIdentity();
  return { secret, recipient: await identityToRecipient(secret) };
}

/** Throws SpikeError `data_invalid_input` for what no age tool could open afterwards. */
export function parseRecipient(text: string): Recipient {
  const trimmed = text.trim();
  try {
    if (trimmed.length > longestRecipient || !/^age1[0-9a-z]+$/.test(trimmed)) throw new RangeError();
    new Encrypter().addRecipient(trimmed);
  } catch (cause) {
    throw new SpikeError(
      'data_invalid_input',
      `${shorten(trimmed)} is no recipient of age: it is a line that begins with ${hybridPrefix}, as \`spike backup key\` and \`age-keygen -pq\` print it`,
      { cause },
    );
  }
  return { text: trimmed, isHybrid: trimmed.startsWith(hybridPrefix) };
}

/** Recipients of a file: one a line, with empty lines and lines that begin with `#`, as age reads them. */
export function parseRecipients(text: string): readonly Recipient[] {
  return linesOf(text).map(parseRecipient);
}

/**
 * Identities of a file, one a line, as `age-keygen` writes them. Throws SpikeError `data_invalid_input`, without
 * repeating what is in the file.
 */
export function parseIdentities(text: string): readonly string[] {
  const lines = linesOf(text);
  if (text.startsWith('age-encryption.org/') || text.startsWith('-----BEGIN AGE')) {
    throw new SpikeError('data_invalid_input', 'the identity file is encrypted: decrypt it with age first');
  }
  const known = lines.every((line) => /^AGE-SECRET-KEY-(?:PQ-)?1[0-9A-Z]+$/.test(line));
  if (lines.length > 0 && lines.length <= mostRecipients && known) return lines;
  throw new SpikeError(
    'data_invalid_input',
    'this is no identity file of age: it holds a line that begins with AGE-SECRET-KEY-, as `spike backup key` writes it',
  );
}

/** Whom something has to be sealed to so that this identity opens it. Throws SpikeError `data_invalid_input`. */
export async function recipientOf(identity: string): Promise<Recipient> {
  try {
    return parseRecipient(await identityToRecipient(identity));
  } catch (cause) {
    throw new SpikeError('data_invalid_input', 'this is no identity of age: a character of it is wrong', {
      cause,
    });
  }
}

/** For a list: enough to know it again. */
export function shorten(text: string): string {
  const { first, last } = shownCharacters;
  const printable = text.replace(/[^\x20-\x7e]/g, '?');
  return printable.length <= first + last + 1
    ? printable
    : `${printable.slice(0, first)}…${printable.slice(-last)}`;
}

function linesOf(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}
