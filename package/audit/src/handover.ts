import { parseCheckpoint, type SignedCheckpoint } from './checkpoint.ts';
import { malformed } from './error.ts';
import { VerifierKey } from './note.ts';
import { verifyInclusion } from './proof.ts';

/** What a leaf that announces a new key is called in the audit. */
export const handoverAction = 'audit.key';

/** How one key of a log gives its place to the next: a leaf names the next, and both sign a checkpoint behind it. */
export interface Handover {
  readonly sequence: number;
  /** The leaf. */
  readonly line: string;
  /** The checkpoint. */
  readonly note: string;
  /** That the leaf is in it. */
  readonly path: readonly Uint8Array[];
}

/** The key that this line announces for this log; undefined for every other line. */
export function announcedKey(line: string, origin: string): VerifierKey | undefined {
  // Most lines are of something else, and not worth parsing.
  if (!line.includes(`"action":"${handoverAction}"`)) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || Reflect.get(value, 'action') !== handoverAction)
      return undefined;
    const text: unknown = Reflect.get(value, 'key');
    const key = typeof text === 'string' ? VerifierKey.parse(text) : undefined;
    return key?.name === origin ? key : undefined;
  } catch {
    return undefined;
  }
}

/** Whom to trust next, when this key is trusted now. Throws SpikeError `data_invalid_input` when it did not hand over so. */
export function followHandover(current: VerifierKey, handover: Handover): VerifierKey {
  const checkpoint = parseCheckpoint(handover.note);
  const next = announcedKey(handover.line, current.name);
  const leaf = { index: handover.sequence, bytes: Buffer.from(handover.line) };
  if (
    next === undefined ||
    checkpoint.origin !== current.name ||
    !isSignedByBoth(checkpoint, current, next) ||
    !verifyInclusion(leaf, checkpoint, handover.path)
  ) {
    throw malformed('is a new audit key that the one before it did not announce; find out who made it');
  }
  return next;
}

export function isSignedByBoth(
  checkpoint: SignedCheckpoint,
  current: VerifierKey,
  next: VerifierKey,
): boolean {
  return current.verifies(checkpoint.signed) && next.verifies(checkpoint.signed);
}
