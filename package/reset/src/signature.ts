import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { SpikeError } from '@spike/error';

/** PKCS #8 of an Ed25519 key (RFC 8410, section 7) up to the 32 bytes of the seed. */
const seedPrefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const seedBytes = 32;
const line = /^# signature ed25519 ([0-9a-f]{16}) ([A-Za-z0-9+/]{86}==)$/;
const mostScriptBytes = 1024 * 1024;

/** The Ed25519 key of a seed, RFC 8032. The seed is wiped by its owner. */
export function resetKeyOf(seed: Uint8Array): KeyObject {
  if (seed.length !== seedBytes) throw new RangeError('the seed of an Ed25519 key has 32 bytes');
  const der = Buffer.concat([seedPrefix, seed]);
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  } finally {
    der.fill(0);
  }
}

/** What may be pinned: the public key in PEM (SubjectPublicKeyInfo), which openssl reads, too. */
export function publicKeyOf(key: KeyObject): string {
  return createPublicKey(key).export({ format: 'pem', type: 'spki' }).toString();
}

/** Names a key without telling more of it than itself: the first 8 bytes of the SHA-256 of its DER. */
export function keyIdOf(pem: string): string {
  const der = readPublicKey(pem).export({ format: 'der', type: 'spki' });
  return createHash('sha256').update(der).digest('hex').slice(0, 16);
}

/** A comment line that signs all that stands above it. The key signs nothing but reset scripts. */
export function signScript(text: string, key: KeyObject): string {
  const signature = sign(null, Buffer.from(text), key).toString('base64');
  return `# signature ed25519 ${keyIdOf(publicKeyOf(key))} ${signature}`;
}

/** What a script says of itself that is signed with a key that is trusted. */
export interface VerifiedScript {
  readonly keyId: string;
  readonly instance: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/**
 * Checks a script against the public keys that are trusted. Throws `data_invalid_input` for a script that is damaged
 * or cut off, that no trusted key has signed, or that was changed after it was signed.
 */
export function verifyScript(script: Uint8Array, trusted: readonly string[]): VerifiedScript {
  if (script.length > mostScriptBytes) throw invalid('it is too large for a reset script');
  const bytes = Buffer.from(script);
  const checksumAt = bytes.lastIndexOf(10, bytes.length - 2) + 1;
  const signatureAt = bytes.lastIndexOf(10, checksumAt - 2) + 1;
  const digest = createHash('sha256').update(bytes.subarray(0, checksumAt)).digest('hex');
  if (bytes.toString('latin1', checksumAt) !== `# checksum sha256 ${digest}, ${bytes.length} bytes\n`)
    throw invalid('it is damaged or cut off');
  const [, keyId, signature] = line.exec(bytes.toString('latin1', signatureAt, checksumAt - 1)) ?? [];
  if (keyId === undefined || signature === undefined) throw invalid('it bears no signature');
  const key = trusted.find((pem) => keyIdOf(pem) === keyId);
  if (key === undefined) throw invalid(`it is signed with a key that is not trusted here (${keyId})`);
  const signed = bytes.subarray(0, signatureAt);
  if (!verify(null, signed, readPublicKey(key), Buffer.from(signature, 'base64')))
    throw invalid('it was changed after it was signed');
  const text = signed.toString('utf8');
  return {
    keyId,
    instance: valueOf(text, 'instance'),
    createdAt: new Date(valueOf(text, 'created_text')),
    expiresAt: new Date(valueOf(text, 'expires_text')),
  };
}

/** These values have no quote in them. */
function valueOf(text: string, name: string): string {
  const [, value] = new RegExp(`^${name}='([A-Za-z0-9:.-]+)'$`, 'm').exec(text) ?? [];
  if (value === undefined) throw invalid('it is of another release');
  return value;
}

function readPublicKey(pem: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Said below, without what was given.
  }
  throw new SpikeError(
    'data_invalid_input',
    'this is no Ed25519 public key in PEM, as `spike reset key` prints it',
  );
}

function invalid(why: string): SpikeError {
  return new SpikeError(
    'data_invalid_input',
    `this reset script is not to be run: ${why}; print a new one with spike reset --force`,
  );
}
