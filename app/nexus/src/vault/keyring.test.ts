import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';

import { RootKey, Secret } from '@spike/crypto';

import type { InstanceHead } from './head.ts';
import { Keyring, unwrapKeyring, uses, wrapKeyring, type KeyringEntry } from './keyring.ts';
import { hasCode } from './testing/instance.ts';

const place = { instance: 'instance-1', keyringEpoch: 1 };
const headOf = (keyring: Keyring, rootKey: RootKey): InstanceHead => ({
  ...place,
  keyring: wrapKeyring(keyring, rootKey, place),
  splits: [],
});
const plain = (keyring: Keyring): unknown =>
  keyring.entries.map(({ key, ...rest }) => ({
    ...rest,
    key: key.expose((bytes) => Buffer.from(bytes).toString('hex')),
  }));
const entry = (use: string, number: number, state = 'active'): KeyringEntry => ({
  use,
  number,
  state,
  key: Secret.take(randomBytes(32)),
  instance: 'instance-0',
});

test('a keyring unwraps to what was wrapped, with uses and states that this release does not know', () => {
  using rootKey = RootKey.generate();
  const known = Keyring.generate(place.instance, randomBytes);
  const keyring = new Keyring([
    ...known.entries,
    entry('quantum', 7, 'sleeping'),
    entry('data', 2, 'retired'),
  ]);
  assert.deepEqual(plain(unwrapKeyring(headOf(keyring, rootKey), rootKey)), plain(keyring));
});

test('a new keyring has one active key of each use, all different', () => {
  const keyring = Keyring.generate(place.instance, randomBytes);
  assert.deepEqual(
    keyring.entries.map(({ use, number, state }) => ({ use, number, state })),
    uses.map((use) => ({ use, number: 1, state: 'active' })),
  );
  const keys = keyring.entries.map(({ key }) => key.expose((bytes) => Buffer.from(bytes).toString('hex')));
  assert.equal(new Set(keys).size, uses.length);
});

test('the current key of a use is the newest active one', () => {
  const keyring = new Keyring([entry('data', 1), entry('data', 3, 'retired'), entry('data', 2)]);
  assert.equal(keyring.current('data').number, 2);
  assert.equal(keyring.all('data').length, 3);
  assert.throws(() => keyring.current('index'), hasCode('store_integrity'));
});

test('another root key is told apart before anything is opened', () => {
  using rootKey = RootKey.generate();
  using other = RootKey.generate();
  const head = headOf(Keyring.generate(place.instance, randomBytes), rootKey);
  assert.throws(() => unwrapKeyring(head, other), hasCode('crypto_decryption_failed'));
});

test('a keyring that was changed, or moved to another instance or epoch, does not open', () => {
  using rootKey = RootKey.generate();
  const head = headOf(Keyring.generate(place.instance, randomBytes), rootKey);
  const flipped = head.keyring.body.map((byte, i) => (i === 9 ? byte ^ 1 : byte));
  const changed = { ...head, keyring: { ...head.keyring, body: flipped } };
  assert.throws(() => unwrapKeyring(changed, rootKey), hasCode('store_integrity'));
  for (const moved of [{ instance: 'instance-2' }, { keyringEpoch: 2 }]) {
    assert.throws(() => unwrapKeyring({ ...head, ...moved }, rootKey), hasCode('crypto_decryption_failed'));
    const commitment = wrapKeyring(new Keyring([]), rootKey, { ...place, ...moved }).commitment;
    const posing = { ...head, ...moved, keyring: { ...head.keyring, commitment } };
    assert.throws(() => unwrapKeyring(posing, rootKey), hasCode('store_integrity'));
  }
  unwrapKeyring(head, rootKey);
});

test('a keyring with two keys of one use and number is refused', () => {
  using rootKey = RootKey.generate();
  const head = headOf(new Keyring([entry('data', 1), entry('data', 1)]), rootKey);
  assert.throws(() => unwrapKeyring(head, rootKey), hasCode('store_integrity'));
});
