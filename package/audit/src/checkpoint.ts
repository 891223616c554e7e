import { malformed } from './error.ts';
import type { TreeHead } from './log.ts';
import {
  decodeBase64,
  formatNote,
  parseNote,
  type NoteSigner,
  type SignedNote,
  type VerifierKey,
} from './note.ts';
import { hashBytes } from './tree.ts';

/** The head of a log as its owner signs it (c2sp.org/tlog-checkpoint). */
export interface Checkpoint extends TreeHead {
  /** Which log it is: unlike any other's. */
  readonly origin: string;
}

/** A checkpoint together with the note that it was read from. */
export interface SignedCheckpoint extends Checkpoint {
  /** The whole text, which is what people keep. */
  readonly note: string;
  readonly signed: SignedNote;
}

/** Text of a checkpoint without signatures. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`;
}

/** The first signer is the log's own; the others sign the same text, as when one key hands over to the next. */
export function signCheckpoint(
  checkpoint: Checkpoint,
  signers: readonly [NoteSigner, ...NoteSigner[]],
): SignedCheckpoint {
  const text = formatCheckpoint(checkpoint);
  const signed = { text, signatures: signers.map((signer) => signer.sign(text)) };
  return { ...checkpoint, signed, note: formatNote(signed) };
}

/** Throws SpikeError `data_invalid_input`. What it answers is well-formed and not yet verified. */
export function parseCheckpoint(note: string): SignedCheckpoint {
  const signed = parseNote(note);
  const [origin = '', size = '', encoded = '', ...rest] = signed.text.split('\n');
  const root = decodeBase64(encoded);
  // Behind the last line stands its newline; extensions before it are signed, and mean nothing to us.
  const whole = rest.length > 0 && rest.slice(0, -1).every((line) => line !== '');
  if (origin === '' || !/^(?:0|[1-9][0-9]*)$/u.test(size) || root?.byteLength !== hashBytes || !whole) {
    throw malformed('is no checkpoint');
  }
  const leaves = Number(size);
  if (!Number.isSafeInteger(leaves)) throw malformed('is a checkpoint of a size that no log has');
  return { origin, size: leaves, root, note, signed };
}

/** Reads a checkpoint that this key signed for the log of the key's name. Throws SpikeError `data_invalid_input`. */
export function openCheckpoint(note: string, key: VerifierKey): SignedCheckpoint {
  const checkpoint = parseCheckpoint(note);
  if (checkpoint.origin !== key.name) {
    throw malformed(`is a checkpoint of the log ${checkpoint.origin}, and not of ${key.name}`);
  }
  if (!key.verifies(checkpoint.signed)) throw malformed('is a checkpoint that the key did not sign');
  return checkpoint;
}
