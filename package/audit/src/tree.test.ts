import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashLeaf, MerkleTree } from './tree.ts';

// The leaves and roots of certificate-transparency's own test (merkle_tree_test.cc) and of golang.org/x/mod/sumdb/tlog.
const leaves = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const roots = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

test('the tree gives the published roots of Certificate Transparency', () => {
  const tree = new MerkleTree();
  assert.equal(
    hex(tree.root()),
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    'of no leaves: the hash of nothing (RFC 6962, 2.1)',
  );
  for (const [index, leaf] of leaves.entries()) {
    tree.append(hashLeaf(Buffer.from(leaf, 'hex')));
    assert.equal(tree.size, index + 1);
    assert.equal(hex(tree.root()), roots[index]);
  }
});

test('the root is that of the definition, whatever the leaves', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 70 }), (all) => {
      const tree = new MerkleTree();
      for (const leaf of all) tree.append(hashLeaf(leaf));
      assert.equal(hex(tree.root()), hex(define(all)));
    }),
    { numRuns: 50 },
  );
});

test('a tree that is put together of whole subtrees goes on as one that saw every leaf', () => {
  const one = new MerkleTree();
  const other = new MerkleTree();
  for (let index = 0; index < 45; index++) {
    const subtree = one.append(hashLeaf(Buffer.from([index])))[3];
    if (subtree !== undefined) other.appendSubtree(3, subtree);
  }
  assert.equal(other.size, 40);
  for (let index = 40; index < 45; index++) other.append(hashLeaf(Buffer.from([index])));
  assert.equal(hex(other.root()), hex(one.root()));
  assert.throws(() => other.appendSubtree(3, other.root()), RangeError);
  assert.throws(() => other.append(new Uint8Array(31)), RangeError);
});

/** MTH of RFC 6962, section 2.1, word by word. */
function define(all: readonly Uint8Array[]): Uint8Array {
  const [only] = all;
  if (only === undefined) return createHash('sha256').digest();
  if (all.length === 1) return createHash('sha256').update(Buffer.of(0)).update(only).digest();
  let k = 1;
  while (k * 2 < all.length) k *= 2;
  return createHash('sha256')
    .update(Buffer.of(1))
    .update(define(all.slice(0, k)))
    .update(define(all.slice(k)))
    .digest();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
