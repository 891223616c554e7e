import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempDisposable } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { AuthorityClient } from './client.ts';

function withCode(code: string, says: RegExp) {
  return (error: unknown): boolean =>
    error instanceof SpikeError && error.code === code && says.test(error.message);
}

async function openServer(
  answer: (path: string, body: string) => { status: number; body: string } | undefined,
): Promise<{ socketPath: string } & AsyncDisposable> {
  const directory = await mkdtempDisposable(join(tmpdir(), 'spike-registry-'));
  const socketPath = join(directory.path, 's');
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const made = answer(request.url ?? '', Buffer.concat(chunks).toString('utf8'));
      if (made !== undefined) response.writeHead(made.status).end(made.body);
    });
  }).listen(socketPath);
  await once(server, 'listening');
  return {
    socketPath,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

test('the client sends what the route wants and reads what it answers', async () => {
  const asked: string[] = [];
  const entry = {
    id: '0123456789abcdef',
    spiffeId: 'spiffe://spike.ist/a',
    selectors: ['uid:7'],
    createdAt: '2026-01-01T00:00:00.000Z',
    origin: 'operator',
  };
  await using server = await openServer((path, body) => {
    asked.push(`${path} ${body}`);
    return { status: 200, body: JSON.stringify({ entry, created: true }) };
  });
  const client = new AuthorityClient(server);
  const { entry: made } = await client.createEntry({ spiffeId: entry.spiffeId });
  assert.deepEqual(made.selectors, [{ type: 'uid', value: '7' }]);
  assert.deepEqual(asked, [
    `/v1/entry/create {"spiffeId":"${entry.spiffeId}","selectors":[],"federatesWith":[]}`,
  ]);
  await assert.rejects(client.status(), withCode('net_peer_connection', /form/));
});

test('an error of the authority keeps its code and its sentence', async () => {
  let answer = { status: 401, body: '{"code":"access_unauthorized","message":"not you"}' };
  await using server = await openServer(() => answer);
  const client = new AuthorityClient(server);
  await assert.rejects(client.listEntries(), withCode('access_unauthorized', /^not you$/));
  answer = { status: 500, body: '{"code":"invented","message":"x"}' };
  await assert.rejects(client.listEntries(), withCode('net_peer_connection', /status 500/));
  answer = { status: 200, body: 'hello' };
  await assert.rejects(client.listEntries(), withCode('net_peer_connection', /JSON/));
  answer = { status: 200, body: 'x'.repeat(17 * 1_048_576) };
  await assert.rejects(client.listEntries(), withCode('net_peer_connection', /too large/));
});

test('nobody there, nobody who answers and a caller who gives up are three errors', async () => {
  await using silent = await openServer(() => undefined);
  await assert.rejects(
    new AuthorityClient({ socketPath: join(silent.socketPath, '..', 'none') }).status(),
    withCode('net_peer_connection', /npm start/),
  );
  await assert.rejects(
    new AuthorityClient({ ...silent, timeoutMs: 50 }).status(),
    withCode('net_timeout', /in time/),
  );
  const reason = new Error('enough');
  await assert.rejects(new AuthorityClient(silent).status(AbortSignal.abort(reason)), reason);
});
