import { SpikeError } from '@spike/error';

/** What encryption as a service hands out. */
export interface CipherEnvelope {
  readonly version: typeof version;
  readonly nonce: Uint8Array;
  /** Its last 16 bytes are the tag. */
  readonly ciphertext: Uint8Array;
}

/** The only one that there is (wire.md 1.5). */
export const version = 1;
export const nonceBytes = 12;
const headBytes = 1 + nonceBytes;

/** As one piece: version byte, nonce, ciphertext. */
export function formatEnvelope(envelope: CipherEnvelope): Uint8Array {
  const bytes = new Uint8Array(headBytes + envelope.ciphertext.length);
  bytes[0] = envelope.version;
  bytes.set(envelope.nonce, 1);
  bytes.set(envelope.ciphertext, headBytes);
  return bytes;
}

/** Throws SpikeError `data_invalid_input` for what has no version, another one, or ends within the nonce. */
export function parseEnvelope(bytes: Uint8Array): CipherEnvelope {
  const [first] = bytes;
  if (first === undefined) throw refused('it is empty');
  if (first !== version) throw refused(`its first byte, the version, is ${first} and not ${version}`);
  if (bytes.length < headBytes) throw refused('it ends before its nonce does');
  return { version: first, nonce: bytes.subarray(1, headBytes), ciphertext: bytes.subarray(headBytes) };
}

function refused(why: string): SpikeError {
  return new SpikeError('data_invalid_input', `this is nothing that was encrypted here: ${why}`);
}
