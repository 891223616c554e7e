import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { formatJson, nexusTable, SecretPath, toValueMap, type Transport } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { createClient } from '@spike/sdk';
import { openTracer } from './trace.ts';

const secret = 'correct horse';

/** Calls through a traced transport that answers so; what was traced. */
async function trace(
  answer: { readonly status: number; readonly body: object } | SpikeError,
  call: (client: ReturnType<typeof createClient<typeof nexusTable>>) => Promise<unknown>,
): Promise<string> {
  const stream = new PassThrough();
  const tracer = openTracer(stream);
  const transport: Transport = {
    send: () => {
      tracer.met('spiffe://spike.ist/spike/nexus');
      if (answer instanceof SpikeError) return Promise.reject(answer);
      return Promise.resolve({ status: answer.status, body: formatJson(answer.body) });
    },
  };
  await call(createClient(tracer.wrap(transport), nexusTable)).catch(() => undefined);
  return String(stream.read() ?? '');
}

test('a line says what was asked of whom and how it ended, and holds no value', async () => {
  const path = SecretPath.parse('tenants/acme/db');
  const values = toValueMap({ pass: secret });
  const put = await trace({ status: 200, body: { version: 3 } }, (client) =>
    client.putSecret({ path, values, cas: 2 }),
  );
  assert.match(
    put,
    /^trace: POST \/v1\/store\/secrets path="tenants\/acme\/db" cas=2 of spiffe:\/\/spike\.ist\/spike\/nexus: 200, \d+ bytes, [\d.]+ ms\n$/,
  );
  const got = await trace({ status: 200, body: { data: { pass: secret } } }, (client) =>
    client.getSecret({ path, version: 1 }),
  );
  assert.match(got, /\?action=get path="tenants\/acme\/db" version=1 of /);
  const noted = await trace({ status: 200, body: {} }, (client) =>
    client.setMetadata({ path, owner: secret, labels: { a: secret }, maxVersions: 3 }),
  );
  assert.match(noted, /maxVersions=3/);
  const shard = Uint8Array.from(Array.from({ length: 32 }, () => 171));
  const restored = await trace(
    { status: 200, body: { collected: 1, remaining: 1, restored: false } },
    (client) => client.restore({ id: 1, shard }),
  );
  assert.match(restored, /id=1 of /);
  assert.doesNotMatch(restored, /171/);
  const encrypted = await trace({ status: 200, body: { ciphertext: 'AAAA' } }, (client) =>
    client.encrypt({ plaintext: Buffer.from(secret) }),
  );
  for (const line of [put, got, noted, encrypted]) {
    assert.doesNotMatch(line, /correct|horse/);
    assert.ok(!line.includes(Buffer.from(secret).toString('base64')));
  }
});

test('a failure shows its code and the trail in the audit, or why there was no answer', async () => {
  const path = SecretPath.parse('a');
  const get = (client: ReturnType<typeof createClient<typeof nexusTable>>) =>
    client.getSecret({ path, version: 0 });
  const refused = await trace(
    { status: 401, body: { data: null, err: 'access_unauthorized', trail: 't1' } },
    get,
  );
  assert.match(refused, /: 401, access_unauthorized, trail t1, [\d.]+ ms\n$/);
  const lost = await trace(new SpikeError('net_timeout', 'nobody\nanswered'), get);
  assert.match(lost, /: net_timeout \(nobody\\nanswered\), [\d.]+ ms\n$/);
});
