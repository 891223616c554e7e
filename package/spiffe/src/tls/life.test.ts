import { test, type TestContext } from 'node:test';
import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:tls';
import { once } from 'node:events';
import { Stage, limits } from '../testing/stage.ts';
import { verifyX509Svid } from '../x509/verify.ts';
import { measureLife } from './life.ts';

const minute = 60_000;

/** Our clocks by hand; those of Node and OpenSSL go on, and find every certificate valid. */
function holdClock(context: TestContext): (ms: number) => void {
  context.mock.timers.enable({ apis: ['Date', 'setTimeout'], now: Date.now() });
  return (ms) => context.mock.timers.tick(ms);
}

/** Enough turns of the loop for a socket to close on both sides. */
async function settle(condition: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2000 && !condition(); turn += 1)
    await new Promise((resolve) => setImmediate(resolve));
  assert.ok(condition());
}

void test('a life is the shorter of both, whichever ends or began first', async () => {
  await using stage = await Stage.open();
  const now = new Date(Math.floor(Date.now() / 1000) * 1000);
  const long = stage.domain.issue('/long', { lifetimeMs: 100 * minute, now });
  const short = stage.domain.issue('/short', { lifetimeMs: 10 * minute, now });
  const peer = verifyX509Svid(short.chain, stage.domain.bundles);
  for (const life of [
    measureLife(long, peer),
    measureLife(short, verifyX509Svid(long.chain, stage.domain.bundles)),
  ]) {
    const span = short.notAfter.getTime() - short.notBefore.getTime();
    assert.equal(life.expireAt, short.notAfter.getTime());
    assert.equal(life.retireAt, short.notBefore.getTime() + span * 0.9);
    assert.equal(life.closeIdleAt, short.notBefore.getTime() + span * 0.95);
  }
});

void test('a client leaves a connection at 90 %, and the next request takes a new one', async (context) => {
  const ports: (number | undefined)[] = [];
  await using stage = await Stage.open(
    {
      handler: (request, response) => {
        ports.push(request.socket.remotePort);
        response.end();
      },
      limits: { ...limits, idleMs: 100 * minute },
    },
    { idleMs: 100 * minute },
  );
  const tick = holdClock(context);
  const svid = stage.domain.issue('/workload', { lifetimeMs: 60 * minute });
  stage.clientSource.set(svid, stage.domain.bundles);
  const at = (share: number): number =>
    svid.notBefore.getTime() + (svid.notAfter.getTime() - svid.notBefore.getTime()) * share - Date.now();
  await stage.get('/', { timeoutMs: 1000 * minute });
  tick(at(0.89));
  await stage.get('/', { timeoutMs: 1000 * minute });
  assert.equal(new Set(ports).size, 1);
  tick(at(0.9));
  await settle(() => stage.pool.connections === 0 && stage.server.connections === 0);
  // An old identity is better than none: the connection carries one request and is gone.
  const answer = await stage.get('/', { timeoutMs: 1000 * minute });
  assert.equal(answer.headers.connection, 'close');
  assert.equal(new Set(ports).size, 2);
  await settle(() => stage.pool.connections === 0 && stage.server.connections === 0);
});

void test('a server says Connection: close from 90 %, closes what idles at 95 %, and resets at the end', async (context) => {
  const waiting: ServerResponse[] = [];
  await using stage = await Stage.open({
    handler: (request, response) => {
      if (request.url === '/wait') waiting.push(response);
      else response.end('hello');
    },
  });
  const tick = holdClock(context);
  const svid = stage.domain.issue('/workload', { lifetimeMs: 60 * minute });
  const at = (share: number): number =>
    svid.notBefore.getTime() + (svid.notAfter.getTime() - svid.notBefore.getTime()) * share - Date.now();
  const open = async (): Promise<{ ask: (path: string) => Promise<string>; closed: Promise<unknown> }> => {
    const socket = connect({ ...stage.server.address, ...svid.toPem(), rejectUnauthorized: false });
    socket.on('error', () => {});
    const closed = once(socket, 'close').catch(() => {});
    await once(socket, 'secureConnect');
    const ask = async (path: string): Promise<string> => {
      socket.write(`GET ${path} HTTP/1.1\r\nHost: t\r\n\r\n`);
      return String((await once(socket, 'data'))[0]);
    };
    return { ask, closed };
  };
  const asking = await open();
  const idle = await open();
  const busy = await open();
  assert.match(await asking.ask('/'), /keep-alive/i);
  assert.match(await idle.ask('/'), /keep-alive/i);
  void busy.ask('/wait').catch(() => {});
  await settle(() => waiting.length === 1);

  tick(at(0.91));
  assert.match(await asking.ask('/'), /Connection: close/i);
  await asking.closed;
  await settle(() => stage.server.connections === 2);
  tick(at(0.96));
  await idle.closed;
  await settle(() => stage.server.connections === 1);
  tick(at(1) - 1);
  assert.equal(stage.server.connections, 1);
  tick(1);
  await busy.closed;
  await settle(() => stage.server.connections === 0);
});

void test('a request under way at the end of the life of an SVID is cut on the client, too', async (context) => {
  const waiting: ServerResponse[] = [];
  await using stage = await Stage.open({ handler: (_request, response) => void waiting.push(response) });
  const tick = holdClock(context);
  const svid = stage.domain.issue('/workload', { lifetimeMs: 10 * minute });
  stage.clientSource.set(svid, stage.domain.bundles);
  const lost = assert.rejects(stage.get('/', { timeoutMs: 1000 * minute }), { code: 'connection_lost' });
  await settle(() => waiting.length === 1);
  tick(svid.notAfter.getTime() - Date.now());
  await lost;
  tick(1000);
  await assert.rejects(stage.get(), { code: 'identity_expired' });
});
