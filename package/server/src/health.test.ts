import { test } from 'node:test';
import assert from 'node:assert/strict';
import { openHealth } from './health.ts';

const signal = AbortSignal.timeout(120_000);

void test('live says that the process runs, and ready whether it serves', async () => {
  let ready = false;
  await using server = await openHealth(
    { host: '127.0.0.1', port: 0, health: () => ({ ready, state: ready ? 'ready' : 'locked' }) },
    signal,
  );
  const ask = async (path: string, init: RequestInit = {}): Promise<[number, string]> => {
    const response = await fetch(server.url + path, { ...init, signal });
    return [response.status, await response.text()];
  };
  assert.deepEqual(await ask('/health/live'), [200, '{"live":true}']);
  assert.deepEqual(await ask('/health/ready'), [503, '{"ready":false,"state":"locked"}']);
  ready = true;
  assert.deepEqual(await ask('/health/ready'), [200, '{"ready":true,"state":"ready"}']);
  assert.equal((await ask('/health/ready', { method: 'POST' }))[0], 400);
  assert.equal((await ask('/v1/store/secrets'))[0], 400);
});

void test('health is served on loopback alone', async () => {
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.org'])
    await assert.rejects(
      openHealth({ host, port: 0, health: () => ({ ready: true, state: 'ready' }) }, signal),
      {
        code: 'config_invalid',
      },
    );
});

void test('a port that is taken is said, and disposing twice is disposing once', async () => {
  const options = { host: '127.0.0.1', health: () => ({ ready: true, state: 'ready' }) };
  await using server = await openHealth({ ...options, port: 0 }, signal);
  const port = Number(new URL(server.url).port);
  await assert.rejects(openHealth({ ...options, port }, signal), { code: 'config_invalid' });
  await server[Symbol.asyncDispose]();
});
