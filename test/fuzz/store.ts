import assert from 'node:assert/strict';
import { SpikeError } from '@spike/error';
import type { Row } from '@spike/store';
import { toSealed } from '@spike/store/seal';
import type { FuzzTarget } from '@spike/spiffe/testing';
import { decodeMetadata, encodeMetadata } from '../../app/nexus/src/service/secret-record.ts';
import { decodePolicy, encodePolicy } from '../../app/nexus/src/service/policy-record.ts';
import { encodeAnchor, parseAnchor } from '../../app/nexus/src/vault/anchor.ts';
import { encodeHead, parseHead } from '../../app/nexus/src/vault/head.ts';
import { OpenInstance } from '../../app/nexus/src/vault/instance.ts';
import { openState } from '../../app/nexus/src/vault/state.ts';
import { createTestInstance } from '../../app/nexus/src/vault/testing/instance.ts';

const refuses =
  (...codes: readonly string[]) =>
  (error: unknown): boolean =>
    error instanceof SpikeError && codes.includes(error.code);

const metadata = encodeMetadata({
  path: 'a/b',
  current: 2,
  oldest: 1,
  highest: 2,
  maxVersions: 10,
  createdAt: 1,
  updatedAt: 2,
  versions: [
    { version: 1, createdAt: 1, deletedAt: 0 },
    { version: 2, createdAt: 2, deletedAt: 0 },
  ],
  extension: { owner: 'x' },
});
const policy = encodePolicy({
  tenant: 't',
  name: 'n',
  spiffePattern: '^a$',
  pathPattern: '^b$',
  permissions: ['read'],
  createdAt: 1,
  updatedAt: 2,
});

/** What lies on disk: whoever can write there must neither end Nexus nor make it believe something. */
export async function createStoreTargets(): Promise<readonly FuzzTarget[]> {
  const { store, instance, rootKey } = await createTestInstance();
  const { vault, anchors } = instance;
  const head = encodeHead(instance.head);
  const plaintext = Buffer.from('a secret that is padded');
  const key = vault.key('secret', ['t', 'a', 'b']);
  const row = vault.seal('secret', key, { revision: 3, version: 2, field: 1 }, plaintext);
  const [stateRow] = await store.list('state', new Uint8Array(), { limit: 1 });
  assert.ok(stateRow !== undefined);
  const state = openState(vault, stateRow);
  const anchor = anchors.sign(state);
  const cursor = vault.sealCursor(key, 'spiffe://td/a', 'a/');
  const ops = [
    flatten(row),
    flatten(
      vault.seal('secret', vault.key('secret', ['t', 'c']), { revision: 1, version: 0, field: 0 }, plaintext),
    ),
  ];
  return [
    {
      name: 'row',
      seeds: ops,
      expects: refuses('store_integrity'),
      read: (bytes) => {
        const opened = vault.open('secret', unflatten(bytes));
        // Only what was sealed opens, under its own key and numbers.
        assert.ok(ops.some((one) => Buffer.from(bytes).equals(one)));
        assert.deepEqual(Buffer.from(opened), plaintext);
      },
    },
    {
      name: 'row-of-another-table',
      seeds: ops,
      expects: refuses('store_integrity'),
      read: (bytes) => {
        for (const table of ['policy', 'state', 'outbox', 'secret_version'] as const) {
          assert.throws(() => vault.open(table, unflatten(bytes)), refuses('store_integrity'));
        }
      },
    },
    {
      name: 'head',
      seeds: [head],
      expects: refuses('store_integrity', 'crypto_decryption_failed'),
      read: (bytes) => {
        const parsed = parseHead(bytes);
        assert.deepEqual(Buffer.from(encodeHead(parsed)), Buffer.from(bytes));
        using opened = OpenInstance.open(rootKey, bytes);
        assert.equal(opened.instance, instance.instance);
        // A split or digest that was changed is refused by its manifest, and the keyring by its tag.
        for (const split of [opened.keeper, opened.recovery]) assert.ok(split.threshold >= 2);
      },
    },
    {
      name: 'metadata-record',
      seeds: [metadata],
      tokens: ['"versions":[[1,2,3]]', '"path":"', '1e308', '-0'],
      expects: refuses('store_integrity'),
      read: (bytes) => {
        const read = encodeMetadata(decodeMetadata(bytes));
        assert.deepEqual(Buffer.from(encodeMetadata(decodeMetadata(read))), Buffer.from(read));
      },
    },
    {
      name: 'policy-record',
      seeds: [policy],
      tokens: ['"permissions":["super"]', '["read"]'],
      expects: refuses('store_integrity'),
      read: (bytes) => {
        const read = encodePolicy(decodePolicy(bytes));
        assert.deepEqual(Buffer.from(encodePolicy(decodePolicy(read))), Buffer.from(read));
      },
    },
    {
      name: 'anchor',
      seeds: [encodeAnchor(anchor)],
      tokens: ['"mac":"', '9007199254740993', '"instance":"'],
      expects: refuses('data_invalid_input'),
      read: (bytes) => {
        const read = parseAnchor(Buffer.from(bytes).toString('utf8'));
        if (anchors.verify(read)) assert.equal(encodeAnchor(read), encodeAnchor(anchor));
      },
    },
    {
      name: 'cursor',
      seeds: [cursor],
      tokens: ['=', '-', '_', '+'],
      expects: refuses('data_invalid_input'),
      read: (bytes) => {
        const text = Buffer.from(bytes).toString('utf8');
        assert.throws(() => vault.openCursor(text, 'spiffe://td/b', 'a/'), refuses('data_invalid_input'));
        assert.throws(() => vault.openCursor(text, 'spiffe://td/a', ''), refuses('data_invalid_input'));
        const after = vault.openCursor(text, 'spiffe://td/a', 'a/');
        assert.deepEqual(Buffer.from(after), Buffer.from(key));
      },
    },
  ];
}

const numberBytes = 4;

/** All columns of a row in one piece, so that each of them is mutated. */
function flatten(row: Row): Buffer {
  const numbers = Buffer.alloc(6 * numberBytes + 2);
  [row.format, row.suite, row.term, row.revision, row.version, row.field].forEach((value, index) =>
    numbers.writeUInt32BE(value, index * numberBytes),
  );
  numbers[24] = row.key.length;
  numbers[25] = row.nonce.length;
  return Buffer.concat([numbers, row.key, row.nonce, row.body]);
}

function unflatten(bytes: Uint8Array): Row {
  const from = Buffer.concat([bytes, Buffer.alloc(Math.max(0, 26 - bytes.length))]);
  const at = (index: number): number => from.readUInt32BE(index * numberBytes);
  const [key, nonce] = [from[24] ?? 0, from[25] ?? 0];
  return {
    format: at(0),
    suite: at(1),
    term: at(2),
    revision: at(3),
    version: at(4),
    field: at(5),
    key: from.subarray(26, 26 + key),
    nonce: from.subarray(26 + key, 26 + key + nonce),
    body: toSealed(from.subarray(26 + key + nonce)),
  };
}
