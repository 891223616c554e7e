import {
  SecretPath,
  toValueMap,
  type InputOf,
  type KeeperTable,
  type NexusTable,
  type OutputOf,
  type Table,
} from '@spike/contract';

/** A good request and a good answer for each route. */
export type Samples<T extends Table> = {
  readonly [Name in keyof T]: { readonly input: InputOf<T[Name]>; readonly output: OutputOf<T[Name]> };
};

const path = SecretPath.parse('tenants/acme/db');
const values = toValueMap({ user: 'app' });
const time = '2026-11-22T21:00:00Z';
const shard = Uint8Array.from({ length: 32 }, (_, index) => index);

export const samplePath = path.text;

export const nexusSamples: Samples<NexusTable> = {
  putSecret: { input: { path, values }, output: { version: 1 } },
  getSecret: { input: { path, version: 0 }, output: { data: values, version: 1 } },
  deleteSecret: { input: { path, versions: [] }, output: {} },
  listSecrets: { input: {}, output: { keys: [path.text] } },
  putPolicy: {
    input: {
      name: 'p',
      spiffeidPattern: '^spiffe://spike.ist/app$',
      pathPattern: '^tenants/acme/.*$',
      permissions: ['read'],
    },
    output: {},
  },
  getPolicy: {
    input: { id: 'p' },
    output: {
      id: '',
      name: 'p',
      spiffiedPattern: '^spiffe://spike.ist/app$',
      pathPattern: '^tenants/acme/.*$',
      permissions: ['read'],
      createdAt: time,
      updatedAt: time,
    },
  },
  deletePolicy: { input: { id: 'p' }, output: {} },
  listPolicies: {
    input: { spiffeidPattern: '', pathPattern: '' },
    output: { policies: [{ id: '', name: 'p' }] },
  },
  verifyBootstrap: {
    input: { nonce: new Uint8Array(12), ciphertext: Uint8Array.of(1) },
    output: { hash: 'ab' },
  },
  beginBootstrap: { input: {}, output: { instance: 'i', lease: 'l', expiresInMs: 1 } },
  recover: { input: {}, output: { shards: new Map([[1, shard]]) } },
  restore: { input: { id: 1, shard }, output: { collected: 1, remaining: 1, restored: false } },
  status: {
    input: { verify: false },
    output: {
      state: 'ready',
      ready: true,
      store: { kind: 'memory' },
      keepers: { reachable: 3, required: 2, list: [] },
      sizes: {},
      warnings: [],
    },
  },
};

export const keeperSamples: Samples<KeeperTable> = {
  contributeShare: { input: { shard }, output: {} },
  fetchShare: { input: {}, output: { shard } },
  keeperStatus: { input: {}, output: { active: { held: false }, pending: { held: true } } },
};
