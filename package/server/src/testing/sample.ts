import {
  SecretPath,
  toValueMap,
  type InputOf,
  type KeeperTable,
  type NexusTable,
  type OutputOf,
  type Table,
} from '@spike/contract';
import { adminSamples } from './sample-admin.ts';
import { emergencySamples } from './sample-emergency.ts';

/** A good request and a good answer for each route. */
export type Samples<T extends Table> = {
  readonly [Name in keyof T]: { readonly input: InputOf<T[Name]>; readonly output: OutputOf<T[Name]> };
};

const path = SecretPath.parse('tenants/acme/db');
const values = toValueMap({ user: 'app' });
const time = '2026-11-22T21:00:00Z';
const digest = 'ab'.repeat(32);
const shard = Uint8Array.from({ length: 32 }, (_, index) => index);

export const samplePath = path.text;

const alert = {
  id: 1,
  kind: 'clock_step',
  severity: 'warning',
  subject: '',
  message: 'm',
  detail: {},
  count: 1,
  firstAt: '2026-01-01T00:00:00.000Z',
  lastAt: '2026-01-01T00:00:00.000Z',
} as const;
const hash = Buffer.alloc(32).toString('base64');
const checkpoint = `spike.ist/spike/i/nexus/1\n1\n${hash}\n\n\u2014 spike.ist/spike/i/nexus/1 AAAAAAAA\n`;
const line = '{"sequence":0,"action":"secret.get"}';

export const nexusSamples: Samples<NexusTable> = {
  ...adminSamples,
  ...emergencySamples,
  putSecret: { input: { path, values }, output: { version: 1 } },
  getSecret: { input: { path, version: 0 }, output: { data: values, version: 1 } },
  deleteSecret: { input: { path, versions: [] }, output: {} },
  undeleteSecret: { input: { path, versions: [] }, output: {} },
  destroySecret: { input: { path, versions: [1] }, output: {} },
  listSecrets: { input: {}, output: { keys: [path.text] } },
  getMetadata: {
    input: { path, version: 0 },
    output: {
      versions: { 1: { createdTime: time, version: 1, deletedTime: null } },
      metadata: {
        currentVersion: 1,
        oldestVersion: 1,
        createdTime: time,
        updatedTime: time,
        maxVersions: 10,
      },
    },
  },
  setMetadata: { input: { path, owner: 'ann' }, output: {} },
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
  encrypt: {
    input: { plaintext: Uint8Array.of(1, 2, 3) },
    output: { version: 1, nonce: new Uint8Array(12), ciphertext: new Uint8Array(19) },
  },
  decrypt: {
    input: { version: 1, nonce: new Uint8Array(12), ciphertext: new Uint8Array(19) },
    output: { plaintext: Uint8Array.of(1, 2, 3) },
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
      well: true,
      detailed: true,
      time: '2026-01-01T00:00:00.000Z',
      rootKey: true,
      store: { kind: 'memory' },
      keepers: { reachable: 3, holding: 3, required: 2, enough: true, list: [] },
      administration: { mode: 'svid' },
      sizes: {},
      problems: [],
      warnings: [],
    },
  },
  beginBackup: {
    input: { withoutRecovery: true },
    output: { id: 'b', instance: 'i', createdAt: time, revision: 1, estimatedBytes: 1 },
  },
  readBackup: { input: { id: 'b', part: 1 }, output: { data: Uint8Array.of(1), last: true } },
  endBackup: {
    input: { id: 'b', digest, bytes: 1, sha256: digest, recipients: ['age1pq1'] },
    output: {},
  },
  cancelBackup: { input: { id: 'b' }, output: {} },
  listBackups: { input: {}, output: { instance: 'i', revision: 1, backups: [] } },
  openBackup: {
    input: { purpose: 'verify', start: Uint8Array.of(1) },
    output: { id: 'b', instance: 'i', offset: 1, threshold: 2, remaining: 0 },
  },
  feedBackup: { input: { id: 'b', offset: 0, data: Uint8Array.of(1) }, output: { offset: 1 } },
  giveBackupShare: {
    input: { id: 'b', share: 1, shard },
    output: { collected: 1, remaining: 1, repeated: false },
  },
  startRestore: { input: { id: 'b', replace: false }, output: { cleared: true } },
  finishRestore: { input: { id: 'b' }, output: { instance: 'i', digest, records: 1 } },
  abortRestore: { input: {}, output: { done: true } },
  listHistory: { input: { limit: 10 }, output: { entries: [] } },
  listAlerts: { input: { all: false, limit: 10 }, output: { alerts: [], open: {} } },
  getAlert: { input: { id: 1 }, output: { alert, means: 'm', advice: 'a' } },
  acknowledgeAlert: { input: { id: 1 }, output: { alert } },
  tailAudit: { input: { limit: 1 }, output: { lines: [line], next: 1 } },
  searchAudit: { input: { from: 0, limit: 1, outcome: 'ok' }, output: { lines: [line] } },
  checkpointAudit: { input: {}, output: { checkpoint } },
  proveRecord: { input: { sequence: 0 }, output: { line, hashes: [], checkpoint } },
  proveConsistency: { input: { size: 0 }, output: { hashes: [hash], checkpoint } },
  exportAudit: {
    input: { from: 0, limit: 1 },
    output: { lines: [line], next: 1, first: 0, edge: [], size: 1 },
  },
  auditKey: { input: {}, output: { key: 'k', handovers: [] } },
  rotateAuditKey: { input: {}, output: { key: 'k', previous: 'j', announced: true } },
  reviewAudit: {
    input: { from: 0 },
    output: {
      rows: [
        {
          spiffeId: 'spiffe://spike.ist/app',
          action: 'secret.get',
          path: path.text,
          outcome: 'ok',
          count: 1,
          lastTime: time,
        },
      ],
      from: 0,
      to: 1,
    },
  },
  finishReview: { input: { to: 1 }, output: {} },
  verifyAudit: { input: {}, output: { ok: true, size: 1, first: 0, problems: [] } },
  explainReset: {
    input: {},
    output: {
      instance: 'an-instance',
      counts: { secrets: 1, versions: 2, policies: 3, administrators: 4 },
      removes: '/data',
      aside: [],
      journal: '/journal',
    },
  },
  printReset: {
    input: { instance: 'an-instance' },
    output: { script: '#!/bin/sh\n', keyId: 'f00d', expiresAt: '2030-01-01T00:00:00Z' },
  },
  getResetKeys: { input: {}, output: { instance: 'an-instance', keys: [] } },
};

export const keeperSamples: Samples<KeeperTable> = {
  contributeShare: { input: { shard }, output: {} },
  fetchShare: { input: {}, output: { shard } },
  keeperStatus: { input: {}, output: { active: { held: false }, pending: { held: true } } },
};
