import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { malformed } from './error.ts';

/*
 * Signed notes (c2sp.org/signed-note): a text, an empty line, and one line for each signature. Keys are Ed25519, their
 * type is 0x01; signatures of other kinds are kept and not looked at.
 */

export interface NoteSignature {
  readonly name: string;
  /** Four bytes, as a number: which key of this name it claims to be of. */
  readonly id: number;
  readonly bytes: Uint8Array;
}

export interface SignedNote {
  /** With its last newline: these bytes, in UTF-8, are what is signed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** In UTF-16 units. A checkpoint has some hundred; sixteen signatures of 5 kB each have to be taken. */
const longestNote = 128 * 1024;
const mostSignatures = 64;
const ed25519Type = 0x01;
const keyBytes = 32;
const signatureBytes = 64;
const idBytes = 4;
/** DER before the 32 bytes of an Ed25519 seed (RFC 8410, section 7) and public key (section 4). */
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** Splits a note. Throws SpikeError `data_invalid_input`; what it answers is well-formed and not yet verified. */
export function parseNote(note: string): SignedNote {
  if (note.length > longestNote) throw malformed('is longer than any signed note');
  // eslint-disable-next-line no-control-regex -- these are what the format forbids
  if (/[\0-\x09\x0b-\x1f]/u.test(note) || !note.isWellFormed())
    throw malformed('is no text of a signed note');
  const end = note.lastIndexOf('\n\n');
  const lines = note.slice(end + 2).split('\n');
  if (end < 0 || lines.pop() !== '' || lines.length === 0) throw malformed('has no signatures');
  if (lines.length > mostSignatures) throw malformed('has too many signatures');
  return { text: note.slice(0, end + 1), signatures: lines.map(parseSignature) };
}

export function formatNote({ text, signatures }: SignedNote): string {
  const lines = signatures.map(({ name, id, bytes }) => {
    const whole = Buffer.alloc(idBytes + bytes.byteLength);
    whole.writeUInt32BE(id);
    whole.set(bytes, idBytes);
    return `\u2014 ${name} ${whole.toString('base64')}\n`;
  });
  return `${text}\n${lines.join('')}`;
}

/** A public key by its name, as people keep it: `name+hash+base64` (golang.org/x/mod/sumdb/note). */
export class VerifierKey {
  readonly name: string;
  readonly id: number;
  readonly #public: Uint8Array;
  readonly #key: KeyObject;

  constructor(name: string, publicKey: Uint8Array) {
    if (!isKeyName(name)) throw malformed('has a key whose name is empty or has a space or plus in it');
    this.name = name;
    this.#public = Uint8Array.from(publicKey);
    this.id = keyId(name, publicKey);
    const der = Buffer.concat([publicPrefix, publicKey]);
    this.#key = createPublicKey({ key: der, format: 'der', type: 'spki' });
  }

  /** Throws SpikeError `data_invalid_input`. */
  static parse(text: string): VerifierKey {
    // Base64 may have a plus of its own, a name never.
    const [, name = '', id = '', encoded = ''] = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/u.exec(text.trim()) ?? [];
    const bytes = decodeBase64(encoded);
    if (bytes?.byteLength !== 1 + keyBytes || bytes[0] !== ed25519Type) {
      throw malformed('is no Ed25519 verifier key, which looks like NAME+HASH+BASE64');
    }
    const key = new VerifierKey(name, bytes.subarray(1));
    if (key.id !== Number.parseInt(id, 16))
      throw malformed('is a verifier key whose hash is not the one of the key');
    return key;
  }

  toString(): string {
    const encoded = Buffer.from([ed25519Type, ...this.#public]).toString('base64');
    return `${this.name}+${this.id.toString(16).padStart(8, '0')}+${encoded}`;
  }

  equals(other: VerifierKey): boolean {
    return this.toString() === other.toString();
  }

  /**
   * Whether the note is signed by this key. Where one signature that claims to be of this key does not verify, the
   * answer is no, whatever others say.
   */
  verifies(note: SignedNote): boolean {
    const claimed = note.signatures.filter(({ name, id }) => name === this.name && id === this.id);
    return (
      claimed.length > 0 &&
      claimed.every(({ bytes }) => {
        if (bytes.byteLength !== signatureBytes) return false;
        return verify(null, Buffer.from(note.text), this.#key, bytes);
      })
    );
  }
}

/** Signs notes under a name with an Ed25519 seed of 32 bytes, of which it keeps no copy. */
export class NoteSigner {
  readonly verifier: VerifierKey;
  readonly #withSeed: <Result>(use: (seed: Uint8Array) => Result) => Result;

  constructor(name: string, withSeed: <Result>(use: (seed: Uint8Array) => Result) => Result) {
    this.#withSeed = withSeed;
    const jwk = this.#withKey((key) => createPublicKey(key).export({ format: 'jwk' }));
    this.verifier = new VerifierKey(name, Buffer.from(jwk.x ?? '', 'base64url'));
  }

  sign(text: string): NoteSignature {
    const bytes = this.#withKey((key) => sign(null, Buffer.from(text), key));
    return { name: this.verifier.name, id: this.verifier.id, bytes };
  }

  #withKey<Result>(use: (key: KeyObject) => Result): Result {
    return this.#withSeed((seed) => {
      const der = Buffer.concat([privatePrefix, seed]);
      try {
        return use(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
      } finally {
        der.fill(0);
      }
    });
  }
}

/** Whether a key may have this name (c2sp.org/signed-note): no Unicode space, no plus, not empty. */
export function isKeyName(name: string): boolean {
  return /^[^\s\u0085+]+$/u.test(name) && name.isWellFormed();
}

/** Padded base64 with nothing else in it; undefined for what is none. */
export function decodeBase64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

function parseSignature(line: string): NoteSignature {
  const [dash, name, encoded, ...more] = line.split(' ');
  const whole = decodeBase64(encoded ?? '');
  if (dash !== '\u2014' || name === undefined || !isKeyName(name) || more.length > 0 || whole === undefined) {
    throw malformed('has a line among its signatures that is none');
  }
  if (whole.byteLength <= idBytes) throw malformed('has a signature that is empty');
  return { name, id: Buffer.from(whole).readUInt32BE(), bytes: whole.subarray(idBytes) };
}

function keyId(name: string, publicKey: Uint8Array): number {
  if (publicKey.byteLength !== keyBytes) throw new RangeError('an Ed25519 public key has 32 bytes');
  const hash = createHash('sha256')
    .update(`${name}\n`)
    .update(Buffer.from([ed25519Type]))
    .update(publicKey);
  return hash.digest().readUInt32BE();
}
