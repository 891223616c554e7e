import { suite, test } from 'node:test';
import assert from 'node:assert/strict';
import {
  keeperTable,
  nexusTable,
  rolePaths,
  SecretPath,
  toValueMap,
  type Transport,
  type TransportRequest,
} from '@spike/contract';
import { SpikeError, type ErrorCode } from '@spike/error';
import { fitFor, nexusSamples, Stage } from '@spike/server/testing';
import { createClient } from './client.ts';
import { Spike } from './spike.ts';

const path = SecretPath.parse('tenants/acme/db');

/** A server that says what it is told to, for each request. */
function scripted(...answers: readonly (readonly [status: number, body: string] | Error)[]): {
  readonly transport: Transport;
  readonly requests: TransportRequest[];
} {
  const requests: TransportRequest[] = [];
  const send = (request: TransportRequest) => {
    const answer = answers[Math.min(requests.length, answers.length - 1)];
    requests.push(request);
    if (answer === undefined || answer instanceof Error)
      return Promise.reject(answer ?? new Error('no answer'));
    return Promise.resolve({ status: answer[0], body: Buffer.from(answer[1]) });
  };
  return { transport: { send }, requests };
}

void test('a client that waits when it is told to does so for a login, and for nothing else that fails', async () => {
  const requests: TransportRequest[] = [];
  const refusals = [
    { status: 429, retryAfterMs: 1 },
    { status: 429, retryAfterMs: 60_000 },
  ];
  const transport: Transport = {
    send: (request) => {
      requests.push(request);
      const told = refusals[requests.length - 1] ?? { status: 503 };
      return Promise.resolve({ ...told, body: Buffer.from('{}') });
    },
  };
  const client = createClient(transport, nexusTable, { retry: 'when-told' });
  const login = () => client.login({ user: 'admin', password: 'x', ttlSeconds: 60, scope: 'all' });
  await assert.rejects(login(), (error) => {
    assert.ok(error instanceof SpikeError);
    assert.deepEqual([error.code, error.detail['retryAfterMs']], ['limit_exceeded', 60_000]);
    return true;
  });
  assert.equal(requests.length, 2, 'a millisecond is waited for, a minute is not');
  await assert.rejects(login(), { code: 'state_not_ready' });
  assert.equal(requests.length, 3);
});

void suite('a client against the real dispatch, without sockets', () => {
  for (const name of Object.keys(nexusTable) as (keyof typeof nexusTable)[]) {
    void test(`${name} brings its input to the handler and the answer back`, async () => {
      const stage = Stage.ofNexus();
      const { guard } = nexusTable[name];
      stage.sessions.alone = fitFor(nexusTable[name]);
      const role = guard.kind === 'role' ? guard.anyOf[0] : 'superuser';
      const client = createClient(stage.transport(stage.world.peer(rolePaths[role])), nexusTable);
      const call = client[name] as (input: unknown) => Promise<unknown>;
      const { input, output } = nexusSamples[name];
      assert.deepEqual(await call(input), output);
      assert.deepEqual(stage.calls[0]?.input, input);
    });
  }

  void test('a refusal has the code of the server, and the trail under which it is in the audit', async () => {
    const stage = Stage.ofNexus();
    const client = createClient(stage.transport(stage.world.peer('/app')), nexusTable);
    await assert.rejects(client.getSecret({ path, version: 0 }), (error) => {
      assert.ok(error instanceof SpikeError);
      assert.equal(error.code, 'access_unauthorized');
      assert.equal(error.detail['trail'], stage.audit.records[0]?.trail);
      assert.equal(error.detail['status'], 401);
      return true;
    });
  });

  void test('a workload reads, writes, lists and deletes', async () => {
    const stage = Stage.ofNexus();
    const peer = stage.world.peer('/app');
    for (const action of ['read', 'write', 'list'] as const) stage.policies.allow(peer.id, action, path.text);
    const client = createClient(stage.transport(peer), nexusTable);
    await using spike = new Spike(client, peer.id.toString(), () => Promise.resolve());
    assert.deepEqual(await spike.put('/tenants/acme/db/', { password: 'x' }), { version: 1 });
    const secret = await spike.get(path.text, { version: 1 });
    assert.deepEqual([secret.path, secret.version, secret.field('user').expose()], [path.text, 1, 'app']);
    assert.deepEqual(await spike.list(), [path.text]);
    await spike.delete(path.text, { versions: [1, 2] });
    assert.deepEqual(
      stage.calls.map(({ name, input }) => [name, input['version'] ?? input['versions']]),
      [
        ['putSecret', undefined],
        ['getSecret', 1],
        ['listSecrets', undefined],
        ['deleteSecret', [1, 2]],
      ],
    );
    await assert.rejects(spike.policy.list(), { code: 'access_unauthorized' });
  });

  void test('a workload encrypts and decrypts, as one piece and as plain bytes', async () => {
    const turned = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0xff);
    const nonce = new Uint8Array(12).fill(3);
    const stage = Stage.ofNexus({
      encrypt: async (_grant, { plaintext }) => ({ version: 1, nonce, ciphertext: turned(plaintext) }),
      decrypt: async (_grant, { ciphertext }) => ({ plaintext: turned(ciphertext) }),
    });
    const peer = stage.world.peer('/app');
    stage.policies.allow(peer.id, 'execute', 'spike/system/cipher/exec');
    const spike = new Spike(createClient(stage.transport(peer), nexusTable), '', () => Promise.resolve());
    for (const plaintext of [new Uint8Array(), Uint8Array.of(0, 1, 255)]) {
      const encrypted = await spike.encrypt(plaintext);
      assert.deepEqual(encrypted, Uint8Array.of(1, ...nonce, ...turned(plaintext)));
      assert.deepEqual(Uint8Array.from(await spike.decrypt(encrypted)), plaintext);
    }
    const asked = stage.audit.records.length;
    await assert.rejects(spike.decrypt(Uint8Array.of(2)), { code: 'data_invalid_input' });
    assert.equal(stage.audit.records.length, asked, 'nothing is sent that cannot be right');
  });

  void test('an administrator puts, shows, lists and deletes policies', async () => {
    const stage = Stage.ofNexus({ putPolicy: async () => ({ warnings: ['w'] }) });
    const client = createClient(stage.transport(stage.world.peer(rolePaths.superuser)), nexusTable);
    const { policy } = new Spike(client, '', () => Promise.resolve());
    const input = { name: 'p', spiffeIdPattern: 'a', pathPattern: 'b', permissions: ['read'] } as const;
    assert.deepEqual(await policy.put(input), { warnings: ['w'] });
    const shown = await policy.get('p');
    assert.deepEqual([shown.name, shown.createdAt.toISOString()], ['p', '2026-11-22T21:00:00.000Z']);
    assert.deepEqual(await policy.list(), ['p']);
    await policy.delete('p');
  });
});

void suite('a client judges what a server says', () => {
  for (const [status, body, code] of [
    [404, '{"err":"api_not_found"}', 'api_not_found'],
    [400, '{"data":null,"err":"api_bad_request"}', 'api_bad_request'],
    [503, '{"err":"state_not_ready"}', 'state_not_ready'],
    [503, '{"err":"audit_unavailable"}', 'audit_unavailable'],
    [409, '{"err":"entity_version_conflict"}', 'entity_version_conflict'],
    [401, '', 'access_unauthorized'],
    [404, '<html>', 'api_not_found'],
    [500, '{"err":"entity_load_failed"}', 'api_internal_error'],
    [403, '{}', 'net_peer_connection'],
    [204, '', 'net_peer_connection'],
    [200, '{"data":null,"err":"api_not_found"}', 'api_not_found'],
    [200, '{"err":"some_code_of_tomorrow"}', 'api_internal_error'],
    [200, 'no json', 'net_peer_connection'],
    [200, '{"data":{"a":1}}', 'net_peer_connection'],
    [200, '[]', 'net_peer_connection'],
  ] as const satisfies readonly (readonly [number, string, ErrorCode])[]) {
    void test(`${status} with ${body || 'nothing'} is ${code}`, async () => {
      const { transport } = scripted([status, body]);
      await assert.rejects(createClient(transport, nexusTable).getSecret({ path, version: 0 }), { code });
    });
  }

  void test('an empty err is none, and fields that it does not know do not matter', async () => {
    const { transport } = scripted([200, '{"data":{"a":"b"},"err":"","new":1}']);
    const { data } = await createClient(transport, nexusTable).getSecret({ path, version: 0 });
    assert.deepEqual({ ...data }, { a: 'b' });
  });

  void test('a Keeper of the original is understood, with its capital Err', async () => {
    const shard = JSON.stringify(Array.from({ length: 32 }, () => 7));
    const held = scripted([200, `{"shard":${shard},"Err":""}`]);
    const answer = await createClient(held.transport, keeperTable).fetchShare({});
    assert.deepEqual(answer, { shard: new Uint8Array(32).fill(7) });
    for (const [status, body] of [
      [400, '{"shard":null,"Err":"api_bad_request"}'],
      [200, '{"shard":null,"Err":"api_bad_request"}'],
    ] as const) {
      const { transport } = scripted([status, body]);
      await assert.rejects(createClient(transport, keeperTable).fetchShare({}), { code: 'api_bad_request' });
    }
    const lying = scripted([200, '{"shard":null,"Err":""}']);
    await assert.rejects(createClient(lying.transport, keeperTable).fetchShare({}), {
      code: 'net_peer_connection',
    });
  });
});

void suite('a client asks again', () => {
  const ok = [200, '{"data":{}}'] as const;
  const notReady = [503, '{"err":"state_not_ready"}'] as const;
  const lost = new SpikeError('net_peer_connection', 'lost', { detail: { sent: true } });

  void test('for a read after a lost connection and while there is no key', async () => {
    const { transport, requests } = scripted(lost, notReady, ok);
    await createClient(transport, nexusTable, { retry: true }).getSecret({ path, version: 0 });
    assert.equal(requests.length, 3);
  });

  void test('for no write whose outcome is open', async () => {
    const { transport, requests } = scripted(lost, ok);
    const values = toValueMap({});
    await assert.rejects(
      createClient(transport, nexusTable, { retry: true }).putSecret({ path, values }),
      lost,
    );
    assert.equal(requests.length, 1);
  });

  void test('not at all unless it is told to', async () => {
    const { transport, requests } = scripted(notReady, ok);
    await assert.rejects(createClient(transport, nexusTable).getSecret({ path, version: 0 }), {
      code: 'state_not_ready',
    });
    assert.equal(requests.length, 1);
  });

  void test('for every page of a list that has more', async () => {
    const { transport, requests } = scripted(
      [200, '{"keys":["b"],"cursor":"c1"}'],
      [200, '{"keys":[],"cursor":"c2"}'],
      [200, '{"keys":["a"]}'],
    );
    const spike = new Spike(createClient(transport, nexusTable), '', () => Promise.resolve());
    assert.deepEqual(await spike.list(), ['a', 'b']);
    assert.deepEqual(
      requests.map(({ body }) => JSON.parse(Buffer.from(body).toString()) as unknown),
      [{ limit: 1000 }, { limit: 1000, cursor: 'c1' }, { limit: 1000, cursor: 'c2' }],
    );
  });
});

void test('what cannot be sent is refused before anything is', async () => {
  const { transport, requests } = scripted([200, '{}']);
  const spike = new Spike(createClient(transport, nexusTable), '', () => Promise.resolve());
  await assert.rejects(spike.get('a//b'), { code: 'data_invalid_input' });
  await assert.rejects(spike.put('a', { 'a:b': 'x' }), { code: 'data_invalid_input' });
  await assert.rejects(spike.put('a', { a: '\ud800' }), { code: 'data_invalid_input' });
  await assert.rejects(spike.policy.get(''), { code: 'data_invalid_input' });
  const signal = AbortSignal.abort(new Error('enough'));
  await assert.rejects(spike.get('a', { signal }), { message: 'enough' });
  assert.deepEqual(requests, []);
});
