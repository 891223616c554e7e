import assert from 'node:assert/strict';
import { test } from 'node:test';

import { longestNote } from '@spike/contract';
import fc from 'fast-check';

import { readNotes, writeNote } from './anchor-note.ts';
import { createTestInstance, emptyRoot } from './testing/instance.ts';

const { instance } = await createTestInstance();
const { instance: other } = await createTestInstance();
const stateAt = (revision: number, keyringEpoch = 1) => ({
  revision,
  keyringEpoch,
  auditSize: revision,
  auditRoot: emptyRoot,
});
const note = (revision: number, keyringEpoch?: number): string =>
  writeNote(instance.anchors.sign(stateAt(revision, keyringEpoch)));

test('of the notes that verify the highest counts, by keyring epoch and then by revision', () => {
  const read = (...notes: readonly string[]) =>
    readNotes(
      instance.anchors,
      notes.map((text, index) => ({ keeper: index + 1, note: text })),
    );
  assert.equal(read().anchor, undefined);
  assert.equal(read(note(3), note(9), note(4)).anchor?.revision, 9);
  assert.equal(read(note(9), note(3, 2)).anchor?.keyringEpoch, 2);
});

test('the longest note that there is fits into what a Keeper takes', () => {
  assert.ok(note(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER).length <= longestNote);
});

test('forged, foreign, cut and random notes are refused by the number of their Keeper, and hide no right one', () => {
  const right = note(5);
  const foreign = writeNote(other.anchors.sign(stateAt(1000)));
  const wrong = fc.oneof(
    fc.constantFrom('', foreign, right.replace('"revision":5', '"revision":6'), `${right}${right}`),
    fc.nat(right.length - 1).map((at) => right.slice(0, at)),
    fc.string(),
    fc.json(),
    fc.string({ minLength: 2000, maxLength: 3000 }),
  );
  fc.assert(
    fc.property(wrong, fc.boolean(), (bad, first) => {
      const lie = { keeper: 2, note: bad };
      const truth = { keeper: 1, note: right };
      const found = readNotes(instance.anchors, first ? [lie, truth] : [truth, lie]);
      assert.equal(found.anchor?.revision, 5);
      assert.deepEqual(found.refused, [2]);
    }),
  );
});
