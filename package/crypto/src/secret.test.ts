import assert from 'node:assert/strict';
import { test } from 'node:test';
import { format, inspect } from 'node:util';
import { deserialize, serialize } from 'node:v8';

import { Secret } from './secret.ts';

const make = (): Secret => Secret.take(Buffer.from('correct horse', 'utf8'));
const bytesOf = (secret: Secret): string => secret.expose((bytes) => Buffer.from(bytes).toString('utf8'));

test('taking a secret copies it and wipes the bytes of the caller', () => {
  const mine = Buffer.from('correct horse');
  using secret = Secret.take(mine);
  assert.equal(bytesOf(secret), 'correct horse');
  assert.ok(mine.every((byte) => byte === 0));
});

test('a secret prints as [secret], however it is turned into text', () => {
  using secret = make();
  // oxlint-disable-next-line typescript/restrict-template-expressions, typescript/no-base-to-string -- that it is harmless is what is tested
  const template = `${secret}`;
  const attempts = {
    template,
    concatenation: '' + String(secret),
    json: JSON.stringify(secret),
    '%s': format('%s', secret),
    '%j': format('%j', secret),
    '%o': format('%o', secret),
    '%O': format('%O', secret),
    inspect: inspect(secret),
  };
  for (const [how, text] of Object.entries(attempts)) {
    assert.equal(text.replaceAll('"', ''), '[secret]', how);
  }
  assert.match(inspect({ nested: { secret } }), /\[secret\]/);
  assert.match(inspect(new Error('outer', { cause: secret })), /\[secret\]/);
});

test('a secret shows no bytes to an inspection of hidden things', () => {
  using secret = make();
  const text = inspect(secret, { showHidden: true, customInspect: false, depth: 9 });
  assert.doesNotMatch(text, /99|63 ?6f|correct|Uint8Array/);
});

test('a secret that is spread, listed or cloned is empty', () => {
  using secret = make();
  // oxlint-disable-next-line typescript/no-misused-spread -- that it loses everything is what is tested
  assert.deepEqual({ ...secret }, {});
  assert.deepEqual(Object.keys(secret), []);
  assert.deepEqual(structuredClone(secret), {});
  assert.ok(!serialize(secret).includes('correct'));
  assert.deepEqual(deserialize(serialize(secret)), {});
});

test('secrets are told apart by equals, which deepStrictEqual does not do', () => {
  using one = make();
  using same = make();
  using other = Secret.take(Buffer.from('battery staple'));
  using sameLength = Secret.take(Buffer.from('correct hOrse'));
  assert.ok(one.equals(same));
  assert.ok(one.equals(one.clone()));
  assert.ok(!one.equals(other));
  assert.ok(!one.equals(sameLength));
  assert.deepStrictEqual(one, sameLength);
});

test('a disposed secret is zero and cannot be exposed', () => {
  const secret = make();
  const inside = secret.expose((bytes) => bytes);
  secret.dispose();
  secret[Symbol.dispose]();
  assert.ok(inside.every((byte) => byte === 0));
  assert.throws(() => secret.expose(() => 0), TypeError);
});
