import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { signCheckpoint } from './checkpoint.ts';
import { NoteSigner } from './note.ts';
import { slowPath, slowRoot } from './testing/slow-tree.ts';
import { formatLineProof, openLineProof } from './tlog-proof.ts';

const signer = new NoteSigner('log.example/a', (use) => use(new Uint8Array(32).fill(1)));
const lines = Array.from({ length: 21 }, (_, n) => `{"sequence":${n},"path":"ä/${n}"}`);
const leaves = lines.map((line) => Buffer.from(line));
const checkpoint = signCheckpoint({ origin: 'log.example/a', size: 21, root: slowRoot(leaves) }, [signer]);

test('a proof of a line is one text that verifies alone', () => {
  for (const [sequence, line] of lines.entries()) {
    const text = formatLineProof({ sequence, line, path: slowPath(sequence, leaves), note: checkpoint.note });
    const opened = openLineProof(text, signer.verifier);
    assert.deepEqual([opened.sequence, opened.line, opened.checkpoint.size], [sequence, line, 21]);
  }
});

test('one in which anything was changed does not', () => {
  const text = formatLineProof({
    sequence: 13,
    line: lines[13] ?? '',
    path: slowPath(13, leaves),
    note: checkpoint.note,
  });
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.constantFrom('A', 'b', '7', '\n', ''), (at, put) => {
      const changed = `${text.slice(0, at)}${put}${text.slice(at + 1)}`;
      if (changed !== text) assert.throws(() => openLineProof(changed, signer.verifier));
    }),
    { numRuns: 500 },
  );
});
