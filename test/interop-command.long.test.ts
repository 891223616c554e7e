import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { buildGo } from './interop/build.ts';
import { Program, type Said } from './interop/program.ts';
import { repository, System } from './system.ts';

/*
 * What the subcommands of the Go command send, call for call, through the Go SDK that the command itself is made of.
 */

const trustDomain = 'spike.ist';
const done = { result: null };
const notFound = { code: 'api_not_found' };
const badRequest = { code: 'api_bad_request' };

let system: System;
let goSpike: string;
let environment: Record<string, string>;
before(async () => {
  goSpike = (await buildGo()).spike;
  system = await System.start();
  const { endpointSocket, nexusUrl } = await system.context();
  environment = {
    SPIKE_HOME: system.home.root,
    SPIFFE_ENDPOINT_SOCKET: endpointSocket,
    SPIKE_NEXUS_API_URL: nexusUrl,
    SPIKE_TRUST_ROOT_NEXUS: trustDomain,
  };
});
after(async () => {
  await system[Symbol.asyncDispose]();
});

function asSuperuser(): Program {
  return Program.start(goSpike, [], environment);
}

function asWorkload(path: string): Program {
  const args = [`${repository}/bin/spike.mjs`, 'authority', 'run', path, '--', goSpike];
  return Program.start(process.execPath, args, environment);
}

function fieldsOf(value: unknown): Said {
  assert.ok(typeof value === 'object' && value !== null, JSON.stringify(value));
  return Object.fromEntries(Object.entries(value));
}

async function metadataOf(
  sdk: Program,
  path: string,
  version = 0,
): Promise<{ versions: Said; metadata: Said }> {
  const answer = await sdk.ask({ do: 'metadata', path, version });
  const { versions, metadata } = fieldsOf(answer['result'] ?? assert.fail(JSON.stringify(answer)));
  return { versions: fieldsOf(versions), metadata: fieldsOf(metadata) };
}

test('secret put, get, delete, undelete and metadata get: every version has its own row, and nothing is lost', async () => {
  await using sdk = asSuperuser();
  const path = 'tenants/go/command';
  for (const n of ['1', '2', '3']) assert.deepEqual(await sdk.ask({ do: 'put', path, values: { n } }), done);
  const all = await metadataOf(sdk, path);
  assert.deepEqual(Object.keys(all.versions), ['1', '2', '3']);
  assert.deepEqual(
    [all.metadata['currentVersion'], all.metadata['oldestVersion'], all.metadata['maxVersions']],
    [3, 1, 10],
  );
  const second = fieldsOf(all.versions['2']);
  assert.equal(second['version'], 2);
  assert.equal(second['deletedTime'], null);
  assert.ok(Math.abs(Date.parse(String(second['createdTime'])) - Date.now()) < 60_000);

  // What the command sends without a flag: version 0, the current one.
  assert.deepEqual(await sdk.ask({ do: 'delete', path, versions: [0] }), done);
  assert.deepEqual(await sdk.ask({ do: 'get', path }), { result: { data: { n: '2' } } });
  assert.deepEqual(await sdk.ask({ do: 'undelete', path, versions: [0] }), done);
  assert.deepEqual(await sdk.ask({ do: 'get', path }), { result: { data: { n: '3' } } });

  assert.deepEqual(await sdk.ask({ do: 'delete', path, versions: [1, 2, 3] }), done);
  assert.deepEqual(await sdk.ask({ do: 'get', path }), notFound);
  const deleted = await metadataOf(sdk, path);
  assert.deepEqual(Object.keys(deleted.versions), ['1', '2', '3']);
  assert.equal(deleted.metadata['currentVersion'], 0);
  assert.ok(fieldsOf(deleted.versions['3'])['deletedTime'] !== null);
  assert.deepEqual(await sdk.ask({ do: 'undelete', path, versions: [] }), done);
  assert.deepEqual(await sdk.ask({ do: 'get', path }), { result: { data: { n: '3' } } });
  assert.deepEqual(await sdk.ask({ do: 'undelete', path, versions: [1, 2] }), done);
  assert.deepEqual(await sdk.ask({ do: 'undelete', path, versions: [1] }), notFound, 'it is not deleted');
  assert.deepEqual(await sdk.ask({ do: 'get', path, version: 1 }), { result: { data: { n: '1' } } });
  // The number of a deleted version is not given again.
  assert.deepEqual(await sdk.ask({ do: 'delete', path, versions: [3] }), done);
  assert.deepEqual(await sdk.ask({ do: 'put', path, values: { n: '4' } }), done);
  assert.deepEqual(await sdk.ask({ do: 'get', path, version: 4 }), { result: { data: { n: '4' } } });
  assert.deepEqual(await sdk.ask({ do: 'undelete', path, versions: [3] }), done);
  assert.deepEqual(await sdk.ask({ do: 'get', path, version: 3 }), { result: { data: { n: '3' } } });

  for (const call of ['get', 'metadata', 'undelete', 'delete'])
    assert.deepEqual(await sdk.ask({ do: call, path: 'tenants/go/nothing', versions: [] }), notFound, call);
});

test('policy create, apply, get, list and delete: bad ones are bad requests, missing ones are not found', async () => {
  await using sdk = asSuperuser();
  const policy = {
    name: 'go-command',
    spiffeId: '^spiffe://spike\\.ist/go/.*$',
    path: '^tenants/go/',
    permissions: ['read'],
  };
  assert.deepEqual(await sdk.ask({ do: 'list-policies' }), { result: [] });
  assert.deepEqual(await sdk.ask({ do: 'put-policy', ...policy }), done);
  const before = fieldsOf((await sdk.ask({ do: 'get-policy', name: policy.name }))['result']);
  assert.deepEqual(await sdk.ask({ do: 'put-policy', ...policy, permissions: ['read', 'list'] }), done);
  const after = fieldsOf((await sdk.ask({ do: 'get-policy', name: policy.name }))['result']);
  assert.deepEqual(after['permissions'], ['read', 'list']);
  assert.equal(after['createdAt'], before['createdAt']);
  for (const wrong of [
    { path: '(' },
    { permissions: ['fly'] },
    { permissions: [] },
    { spiffeId: '.*' },
    { name: 'a/b' },
  ])
    assert.deepEqual(
      await sdk.ask({ do: 'put-policy', ...policy, ...wrong }),
      badRequest,
      JSON.stringify(wrong),
    );
  assert.deepEqual(await sdk.ask({ do: 'get-policy', name: 'nothing' }), notFound);
  assert.deepEqual(await sdk.ask({ do: 'delete-policy', name: 'nothing' }), notFound);
  assert.deepEqual(await sdk.ask({ do: 'delete-policy', name: policy.name }), done);
  assert.deepEqual(await sdk.ask({ do: 'list-policies' }), { result: [] });
});

test('cipher encrypt and decrypt, as a stream and as JSON, for the superuser and for who may execute', async () => {
  await using sdk = asSuperuser();
  await using workload = asWorkload('/go/cipher');
  const plaintext = Buffer.from('ein Wort <&>\0').toString('base64');
  for (const call of ['encrypt', 'encrypt-stream'])
    assert.deepEqual(await workload.ask({ do: call, plaintext }), { code: 'access_unauthorized' });
  const policy = {
    name: 'go-cipher',
    spiffeId: '^spiffe://spike\\.ist/go/cipher$',
    path: '^spike/system/cipher/exec$',
    permissions: ['execute'],
  };
  assert.deepEqual(await sdk.ask({ do: 'put-policy', ...policy }), done);
  for (const caller of [sdk, workload]) {
    const { result } = await caller.ask({ do: 'encrypt-stream', plaintext });
    const sealed = Buffer.from(String(result), 'base64');
    // Version, nonce, ciphertext and tag, as wire.md 1.5 has them.
    assert.equal(sealed.length, 1 + 12 + Buffer.from(plaintext, 'base64').length + 16);
    assert.equal(sealed[0], 1);
    const opened = await caller.ask({ do: 'decrypt-stream', ciphertext: sealed.toString('base64') });
    assert.deepEqual(opened, { result: plaintext });
    const parts = {
      nonce: sealed.subarray(1, 13).toString('base64'),
      ciphertext: sealed.subarray(13).toString('base64'),
    };
    assert.deepEqual(await caller.ask({ do: 'decrypt', ...parts }), { result: plaintext });
    sealed[20] = (sealed[20] ?? 0) ^ 1;
    const changed = { ciphertext: sealed.toString('base64') };
    assert.ok('code' in (await caller.ask({ do: 'decrypt-stream', ...changed })));
  }
  // As JSON the SDK keeps the ciphertext alone and drops the nonce.
  const { result } = await sdk.ask({ do: 'encrypt', plaintext });
  assert.equal(Buffer.from(String(result), 'base64').length, Buffer.from(plaintext, 'base64').length + 16);
  assert.deepEqual(await sdk.ask({ do: 'delete-policy', name: policy.name }), done);
});
