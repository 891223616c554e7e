import { SpikeError } from '@spike/error';

import { encodeAnchor, highestOf, parseAnchor, type Anchor, type AnchorKeys } from './anchor.ts';

/** An anchor as a Keeper gave it back. */
export interface NotedAnchor {
  readonly keeper: number;
  readonly note: string;
}

export interface ReadNotes {
  /** The highest of those that verify. */
  readonly anchor: Anchor | undefined;
  /** Keepers whose note is none of ours. */
  readonly refused: readonly number[];
}

/**
 * Reads the notes of Keepers. Unlike the anchor file, a note counts only when its MAC verifies: one Keeper that lies
 * must not be able to lock a store by naming another instance.
 */
export function readNotes(keys: AnchorKeys, notes: readonly NotedAnchor[]): ReadNotes {
  const valid: Anchor[] = [];
  const refused: number[] = [];
  for (const { keeper, note } of notes) {
    const anchor = parse(note);
    if (anchor !== undefined && keys.verify(anchor)) valid.push(anchor);
    else refused.push(keeper);
  }
  return { anchor: highestOf(valid), refused };
}

export function writeNote(anchor: Anchor): string {
  return encodeAnchor(anchor).trimEnd();
}

function parse(note: string): Anchor | undefined {
  try {
    return parseAnchor(note);
  } catch (thrown) {
    if (thrown instanceof SpikeError && thrown.code === 'data_invalid_input') return undefined;
    throw thrown;
  }
}
