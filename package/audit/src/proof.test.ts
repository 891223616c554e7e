import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  consistencyRanges,
  edgeRanges,
  inclusionRanges,
  verifyConsistency,
  verifyInclusion,
  type Range,
} from './proof.ts';
import { slowPath, slowProof, slowRoot } from './testing/slow-tree.ts';
import { hashLeaf, MerkleTree } from './tree.ts';

const leaves = Array.from({ length: 300 }, (_, index) => Buffer.from(`leaf ${index}`));
const rootOf = ({ from, to }: Range): Uint8Array => slowRoot(leaves.slice(from, to));
const hex = (hashes: readonly Uint8Array[]): string[] =>
  hashes.map((hash) => Buffer.from(hash).toString('hex'));
const head = (size: number) => ({ size, root: slowRoot(leaves.slice(0, size)) });
const sizes = fc.integer({ min: 1, max: leaves.length });

test('an inclusion proof has the hashes of the definition, and verifies', () => {
  fc.assert(
    fc.property(sizes, fc.nat(), (size, seed) => {
      const index = seed % size;
      const path = inclusionRanges(index, size).map(rootOf);
      assert.deepEqual(hex(path), hex(slowPath(index, leaves.slice(0, size))));
      assert.ok(verifyInclusion({ index, bytes: leaves[index] ?? Buffer.alloc(0) }, head(size), path));
    }),
  );
});

test('every inclusion proof of every small tree verifies, and for no other leaf, place or size', () => {
  for (let size = 1; size <= 17; size++) {
    for (let index = 0; index < size; index++) {
      const path = inclusionRanges(index, size).map(rootOf);
      for (let other = 0; other < 17; other++) {
        const bytes = leaves[other] ?? Buffer.alloc(0);
        assert.equal(verifyInclusion({ index, bytes }, head(size), path), other === index);
        const leaf = { index: other, bytes: leaves[index] ?? Buffer.alloc(0) };
        assert.equal(verifyInclusion(leaf, head(size), path), other === index);
        assert.equal(
          verifyInclusion({ index, bytes: leaves[index] ?? bytes }, head(other), path),
          other === size,
        );
      }
    }
  }
});

test('a consistency proof has the hashes of the definition, and verifies', () => {
  fc.assert(
    fc.property(sizes, fc.nat(), (second, seed) => {
      const first = seed % (second + 1);
      const proof = consistencyRanges(first, second).map(rootOf);
      assert.deepEqual(hex(proof), hex(slowProof(first, leaves.slice(0, second))));
      assert.ok(verifyConsistency(head(first), head(second), proof));
    }),
  );
});

test('every consistency proof of every small tree verifies, and between no other sizes or roots', () => {
  for (let second = 1; second <= 17; second++) {
    for (let first = 1; first <= second; first++) {
      const proof = consistencyRanges(first, second).map(rootOf);
      for (let other = 1; other <= 17; other++) {
        if (first !== second) {
          assert.equal(
            verifyConsistency(head(other), head(second), proof),
            other === first,
            `${other} ${first} ${second}`,
          );
          assert.equal(verifyConsistency(head(first), head(other), proof), other === second);
        }
        const forged = { size: first, root: head(other).root };
        assert.equal(verifyConsistency(forged, head(second), proof), other === first);
      }
    }
  }
});

test('a proof that was changed, cut, or made longer does not verify', () => {
  const change = fc.record({
    second: sizes,
    seed: fc.nat(),
    place: fc.nat(),
    how: fc.constantFrom('flip', 'drop', 'add', 'swap'),
  });
  fc.assert(
    fc.property(change, ({ second, seed, place, how }) => {
      const index = seed % second;
      for (const kind of ['inclusion', 'consistency'] as const) {
        const ranges =
          kind === 'inclusion' ? inclusionRanges(index, second) : consistencyRanges(index, second);
        const proof = ranges.map((range) => Buffer.from(rootOf(range)));
        const at = proof.length === 0 ? 0 : place % proof.length;
        const hash = proof[at];
        if (hash === undefined || index === 0) continue;
        if (how === 'flip') hash[place % 32] = (hash[place % 32] ?? 0) ^ (1 << (place % 8));
        if (how === 'drop') proof.splice(at, 1);
        if (how === 'add') proof.splice(at, 0, randomBytes(32));
        if (how === 'swap') proof.push(...proof.splice(at, 1));
        if (how === 'swap' && at === proof.length - 1) continue;
        const leaf = { index, bytes: leaves[index] ?? Buffer.alloc(0) };
        const verified =
          kind === 'inclusion'
            ? verifyInclusion(leaf, head(second), proof)
            : verifyConsistency(head(index), head(second), proof);
        assert.equal(verified, false);
      }
    }),
    { numRuns: 300 },
  );
});

test('sizes that no log has prove nothing', () => {
  const root = head(1).root;
  for (const size of [-1, 0.5, Number.NaN, Infinity, 2 ** 53]) {
    assert.equal(verifyInclusion({ index: 0, bytes: leaves[0] ?? root }, { size, root }, []), false);
    assert.equal(verifyInclusion({ index: size, bytes: leaves[0] ?? root }, { size: 1, root }, []), false);
    assert.equal(verifyConsistency({ size, root }, { size, root }, []), false);
    assert.throws(() => inclusionRanges(size, 10), RangeError);
    assert.throws(() => consistencyRanges(size, 10), RangeError);
  }
  assert.throws(() => inclusionRanges(3, 3), RangeError);
  assert.throws(() => consistencyRanges(4, 3), RangeError);
  assert.equal(verifyConsistency(head(0), head(5), []), true);
});

test('proofs of logs beyond 32 bits have the length that they must have', () => {
  const size = 2 ** 40 + 12_345;
  assert.equal(inclusionRanges(0, size).length, 41);
  assert.equal(inclusionRanges(size - 1, size).at(-1)?.to, 2 ** 40);
  assert.ok(consistencyRanges(2 ** 17 + 1, size).length <= 42);
});

test('the edge of a size is what a tree goes on from', () => {
  for (let size = 0; size <= 130; size++) {
    const tree = new MerkleTree();
    for (const range of edgeRanges(size)) tree.appendSubtree(Math.log2(range.to - range.from), rootOf(range));
    assert.equal(tree.size, size);
    for (const leaf of leaves.slice(size, size + 9)) tree.append(hashLeaf(leaf));
    assert.deepEqual(hex([tree.root()]), hex([head(size + 9).root]));
  }
});
