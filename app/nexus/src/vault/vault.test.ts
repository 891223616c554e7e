import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';

import { Secret } from '@spike/crypto';
import { tables, type Row } from '@spike/store';
import { toSealed } from '@spike/store/seal';
import fc from 'fast-check';

import { Keyring, type KeyringEntry } from './keyring.ts';
import { createTestInstance, hasCode } from './testing/instance.ts';
import { KeyringVault } from './vault.ts';

const { instance } = await createTestInstance();
const { vault } = instance;
const refused = hasCode('store_integrity');
const meta = { revision: 3, version: 2, field: 1 };
const number = fc.integer({ min: 0, max: 1000 });

test('what is sealed opens in its place', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...tables),
      fc.uint8Array({ minLength: 1, maxLength: 520 }),
      fc.record({ revision: number, version: number, field: number }),
      fc.uint8Array({ maxLength: 500 }),
      (table, key, where, text) => {
        const row = vault.seal(table, key, where, text);
        assert.deepEqual(Uint8Array.from(vault.open(table, row)), text);
      },
    ),
  );
});

test('a row opens under no other key, table, revision, version or field', () => {
  const key = vault.key('secret', ['a', 'b']);
  const row = vault.seal('secret', key, meta, Buffer.from('value'));
  vault.open('secret', row);
  for (const table of tables.filter((other) => other !== 'secret')) {
    assert.throws(() => vault.open(table, row), refused);
  }
  const moved: Partial<Row>[] = [
    { key: vault.key('secret', ['a', 'c']) },
    { key: vault.versionKey(key, 2) },
    { revision: 4 },
    { revision: 2 },
    { version: 1 },
    { field: 0 },
    { revision: meta.version, version: meta.revision },
  ];
  for (const change of moved) assert.throws(() => vault.open('secret', { ...row, ...change }), refused);
});

test('no clear column and no sealed byte of a row can be changed', () => {
  const row = vault.seal('policy', vault.key('policy', ['t', 'name']), meta, Buffer.from('value'));
  const flip = (bytes: Uint8Array, at: number, mask: number): Uint8Array =>
    bytes.map((byte, i) => (i === at % bytes.length ? byte ^ mask : byte));
  const columns = ['format', 'suite', 'term', 'revision', 'version', 'field'] as const;
  const change = fc.oneof(
    fc
      .tuple(fc.constantFrom(...columns), fc.integer({ min: 0, max: 10 }))
      .filter(([column, value]) => row[column] !== value)
      .map(([column, value]): Row => ({ ...row, [column]: value })),
    fc
      .tuple(fc.constantFrom('key' as const, 'nonce' as const), fc.nat(), fc.integer({ min: 1, max: 255 }))
      .map(([column, at, mask]): Row => ({ ...row, [column]: flip(row[column], at, mask) })),
    fc
      .tuple(fc.nat(), fc.integer({ min: 1, max: 255 }))
      .map(([at, mask]): Row => ({ ...row, body: toSealed(flip(row.body, at, mask)) })),
    fc.nat(row.body.length - 1).map((size): Row => ({ ...row, body: toSealed(row.body.subarray(0, size)) })),
  );
  fc.assert(
    fc.property(change, (changed) => {
      assert.throws(() => vault.open('policy', changed), refused);
    }),
    { numRuns: 500 },
  );
  vault.open('policy', row);
});

test('a row of another system does not open, even under the same key and term', async () => {
  const other = await createTestInstance();
  const key = Buffer.alloc(16, 1);
  const row = other.instance.vault.seal('secret', key, meta, Buffer.from('value'));
  assert.throws(() => vault.open('secret', row), refused);
  other.instance.vault.open('secret', row);
});

test('each term opens its own rows, with the id of the instance that made it', () => {
  const make = (use: string, n: number, made: string, fill: number): KeyringEntry => ({
    use,
    number: n,
    state: 'active',
    key: Secret.take(Buffer.alloc(32, fill)),
    instance: made,
  });
  const index = make('index', 1, 'ours', 9);
  const old = new KeyringVault(new Keyring([make('data', 1, 'theirs', 1), index]), 'theirs');
  const row = old.seal('secret', Buffer.alloc(16), meta, Buffer.from('from the backup'));
  const restored = new Keyring([make('data', 1, 'theirs', 1), make('data', 2, 'ours', 2), index]);
  const now = new KeyringVault(restored, 'ours');
  assert.equal(Buffer.from(now.open('secret', row)).toString(), 'from the backup');
  assert.equal(now.seal('secret', Buffer.alloc(16), meta, new Uint8Array()).term, 2);
  const misnamed = new KeyringVault(new Keyring([make('data', 1, 'ours', 1), index]), 'ours');
  assert.throws(() => misnamed.open('secret', row), refused);
});

test('a row shows no byte of a path, a name or a value, and sizes are padded', () => {
  const words = ['tenants', 'acme-corporation', 'database', 'hunter2-hunter2'];
  const key = vault.key('secret', words.slice(0, 3));
  const row = vault.seal('secret', key, meta, Buffer.from(words.join('/')));
  const bytes = Buffer.concat([row.key, row.nonce, row.body]);
  for (const word of words) assert.ok(!bytes.includes(word), word);
  const sizes = new Set(
    [0, 1, 30, 63].map((n) => vault.seal('secret', key, meta, randomBytes(n)).body.length),
  );
  assert.deepEqual([...sizes], [64 + 16]);
});

test('a row that is kept keeps nothing else in memory', () => {
  const key = vault.versionKey(vault.key('secret', ['a']), 1);
  const row = vault.seal('secret_version', key, { revision: 1, version: 1, field: 0 }, Buffer.from('hello'));
  for (const bytes of [row.key, row.nonce, row.body]) assert.equal(bytes.buffer.byteLength, bytes.byteLength);
});

test('sealing the same twice gives nothing to compare', () => {
  const key = vault.key('secret', ['a']);
  const [one, two] = [0, 1].map(() => vault.seal('secret', key, meta, Buffer.from('same')));
  assert.notDeepEqual(one?.body, two?.body);
});

test('the versions of a secret sort behind one prefix, by number', () => {
  const key = vault.key('secret', ['a', 'b']);
  const keys = [1, 2, 255, 256, 70_000].map((version) => vault.versionKey(key, version));
  assert.deepEqual(
    keys.toSorted((a, b) => Buffer.compare(a, b)),
    keys,
  );
  for (const one of keys) {
    assert.equal(one.length, key.length + 8);
    assert.deepEqual(Buffer.from(one.subarray(0, key.length)), Buffer.from(key));
  }
});

test('a path of 33 segments has no key', () => {
  assert.throws(
    () =>
      vault.key(
        'secret',
        Array.from({ length: 33 }, () => 's'),
      ),
    hasCode('data_invalid_input'),
  );
});

test('a cursor opens for the peer and the prefix that it was made for, and for nobody else', async () => {
  const after = vault.key('secret', ['a', 'b']);
  const cursor = vault.sealCursor(after, 'spiffe://td/a', 'tenants/');
  assert.match(cursor, /^[A-Za-z0-9_-]+$/);
  assert.deepEqual(Buffer.from(vault.openCursor(cursor, 'spiffe://td/a', 'tenants/')), Buffer.from(after));
  const bad = hasCode('data_invalid_input');
  assert.throws(() => vault.openCursor(cursor, 'spiffe://td/b', 'tenants/'), bad);
  assert.throws(() => vault.openCursor(cursor, 'spiffe://td/a', 'tenants/a'), bad);
  assert.throws(() => vault.openCursor(cursor.slice(1), 'spiffe://td/a', 'tenants/'), bad);
  assert.throws(() => vault.openCursor('', 'spiffe://td/a', 'tenants/'), bad);
  assert.throws(() => vault.openCursor('A'.repeat(5000), 'spiffe://td/a', 'tenants/'), bad);
  const other = await createTestInstance();
  assert.throws(() => other.instance.vault.openCursor(cursor, 'spiffe://td/a', 'tenants/'), bad);
});
