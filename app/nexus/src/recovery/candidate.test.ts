import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Polynomial, RootKey, Share } from '@spike/crypto';
import { chooseEach, findRootKey, mostTries } from './candidate.ts';

function split(threshold: number, count: number): { rootKey: RootKey; shares: Share[] } {
  const rootKey = RootKey.generate();
  const polynomial = Polynomial.random(rootKey, threshold);
  return { rootKey, shares: Array.from({ length: count }, (_, index) => polynomial.share(index + 1)) };
}

const is = (wanted: RootKey) => (rootKey: RootKey) => (rootKey.equals(wanted) ? true : undefined);

test('any threshold of right shares finds the key', () => {
  const { rootKey, shares } = split(2, 3);
  for (const chosen of chooseEach(shares, 2)) {
    const { found } = findRootKey(chosen, 2, is(rootKey));
    assert(found);
    assert.deepEqual(found.wrong, []);
  }
});

test('a wrong share among enough right ones is named and does not keep the key from being found', () => {
  const { rootKey, shares } = split(3, 5);
  const liar = split(3, 5).shares[0];
  assert(liar);
  const { found } = findRootKey([liar, ...shares.slice(1)], 3, is(rootKey));
  assert.deepEqual(
    found?.wrong.map((share) => share.id),
    [1],
  );
});

test('shares of another key, or one share too few, find nothing', () => {
  const { rootKey } = split(2, 3);
  const other = split(2, 3);
  assert.deepEqual(findRootKey(other.shares, 2, is(rootKey)), { found: undefined, gaveUp: false });
  assert.equal(findRootKey(other.shares.slice(0, 1), 2, is(other.rootKey)).found, undefined);
});

test('more sets than are tried are given up, and that is said', () => {
  const { rootKey, shares } = split(2, 80);
  // The only two that are right come last.
  const lies = split(2, 80).shares.slice(0, 78);
  let tries = 0;
  const search = findRootKey([...lies, ...shares.slice(78)], 2, (key) => {
    tries += 1;
    return is(rootKey)(key);
  });
  assert.deepEqual(search, { found: undefined, gaveUp: true });
  assert.equal(tries, mostTries);
});

test('all choices come once each', () => {
  assert.deepEqual(
    [...chooseEach([1, 2, 3, 4], 2)].map((choice) => choice.join('')),
    ['12', '13', '14', '23', '24', '34'],
  );
});
