import { openLineProof, parseCheckpoint, VerifierKey } from '@spike/audit';
import { SpikeError } from '@spike/error';
import { readSmallFile } from '../input/file.ts';
import type { Invocation } from '../invocation.ts';
import { readTrust, type KnownLog } from './trust.ts';

/* With which of the keys that this person knows a file of the audit is looked at. */

export const mostNote = 128 * 1024;

/** A proof leads to its checkpoint alone, so only the size says whether a key that was replaced could still sign it. */
export async function openProof(
  invocation: Invocation,
  text: string,
  given: string | undefined,
): Promise<ReturnType<typeof openLineProof>> {
  const note = text.slice(text.indexOf('\n\n') + 2);
  const known = given === undefined ? await findKnown(invocation, [note]) : undefined;
  if (known === undefined) return openLineProof(text, await findKey(invocation, given, [note]));
  const [now, earlier] = [VerifierKey.parse(known.key), known.earlier ?? []];
  const { signed, size } = parseCheckpoint(note);
  const replaced = now.verifies(signed)
    ? undefined
    : earlier.findLast(({ key }) => VerifierKey.parse(key).verifies(signed));
  if (replaced === undefined) return openLineProof(text, now);
  const { key, handedOverAt } = replaced;
  if (handedOverAt === undefined) {
    throw new SpikeError(
      'store_integrity',
      'this proof is signed by a key that was replaced, and when is not known here: run `spike audit verify`, which learns it, and then this again',
    );
  }
  if (size > handedOverAt) {
    throw new SpikeError(
      'store_integrity',
      `this proof is of ${size} lines, and signed by a key that was replaced at line ${handedOverAt}: do not believe it, and find out who made it`,
    );
  }
  return openLineProof(text, VerifierKey.parse(key));
}

async function findKnown(invocation: Invocation, notes: readonly string[]): Promise<KnownLog | undefined> {
  const trust = await readTrust(invocation);
  return notes.map((note) => trust.get(originOf(note))).find((known) => known !== undefined);
}

/** The key that was given, or the one that is pinned for the log that a checkpoint names. */
export async function findKey(
  invocation: Invocation,
  given: string | undefined,
  notes: readonly string[],
): Promise<VerifierKey> {
  if (given !== undefined) {
    const text = given.includes('+')
      ? given
      : Buffer.from(await readSmallFile(given, mostNote)).toString('utf8');
    return VerifierKey.parse(text);
  }
  const known = await findKnown(invocation, notes);
  if (known !== undefined)
    return startingKey([...(known.earlier ?? []).map(({ key }) => key), known.key], notes);
  throw new SpikeError(
    'data_invalid_input',
    notes.length === 0
      ? 'there is no checkpoint to compare with: give one with --checkpoint, and the key with --key'
      : 'no key is pinned for this audit: give the one that whoever ran spike init was told, with --key',
  );
}

/** Of keys that handed over to each other, the one that signed the oldest of these checkpoints; the last where none did. */
function startingKey(keys: readonly string[], notes: readonly string[]): VerifierKey {
  const parsed = keys.map((text) => VerifierKey.parse(text));
  const [last] = parsed.slice(-1);
  if (last === undefined) throw new TypeError('there is no key');
  const ours = notes.filter((note) => originOf(note) === last.name).map((note) => parseCheckpoint(note));
  const [oldest] = ours.toSorted((a, b) => a.size - b.size);
  return parsed.find((key) => oldest !== undefined && key.verifies(oldest.signed)) ?? last;
}

function originOf(note: string): string {
  try {
    return parseCheckpoint(note).origin;
  } catch {
    return '';
  }
}
