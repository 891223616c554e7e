import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { connect, type TLSSocket } from 'node:tls';
import { test } from 'node:test';
import { knock } from '../testing/peer.ts';
import { limits, Stage, until } from '../testing/stage.ts';
import { originOf } from './admission.ts';
import { Occupancy, type Occupant } from './occupancy.ts';
import type { ServerOptions } from './server-option.ts';

const served = 'HTTP/1.1 200 OK';
const crowded = 'HTTP/1.1 429 Too Many Requests';

/** A server on which whoever asks for `/wait` waits until the test ends, and a way to ask as anybody. */
class Crowd implements AsyncDisposable {
  readonly stage: Stage;
  readonly waiting: ServerResponse[] = [];
  readonly sockets: TLSSocket[] = [];

  static async open(options: Partial<ServerOptions>): Promise<Crowd> {
    const waiting: ServerResponse[] = [];
    const stage = await Stage.open({
      handler: (request, response) => {
        if (request.url === '/wait') waiting.push(response);
        else response.end();
      },
      ...options,
    });
    return new Crowd(stage, waiting);
  }

  private constructor(stage: Stage, waiting: ServerResponse[]) {
    this.stage = stage;
    this.waiting = waiting;
  }

  async ask(path: string): Promise<string> {
    return (await knock(this.stage.server.address, this.stage.domain.issue(path).toPem())).status;
  }

  /** A connection that stays: with a request under way, or with none. */
  async hold(path: string, url: '/' | '/wait'): Promise<TLSSocket> {
    const credential = this.stage.domain.issue(path).toPem();
    const socket = connect({ ...this.stage.server.address, ...credential, rejectUnauthorized: false });
    socket.on('error', () => undefined);
    this.sockets.push(socket);
    const before = this.waiting.length;
    socket.write(`POST ${url} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n`);
    if (url === '/wait') await until(() => this.waiting.length > before);
    else await new Promise((resolve) => socket.once('data', resolve));
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await this.stage[Symbol.asyncDispose]();
  }
}

test('a peer with as many connections at work as it may have is told so, and others are served', async () => {
  await using crowd = await Crowd.open({ limits: { ...limits, maxPerPeer: 2 } });
  const first = await crowd.hold('/greedy', '/wait');
  await crowd.hold('/greedy', '/wait');
  assert.equal(await crowd.ask('/greedy'), crowded);
  assert.equal(await crowd.ask('/other'), served);
  assert.equal(crowd.stage.server.tally.crowded, 1);
  assert.deepEqual(
    crowd.stage.refusals.map(({ code, message }) => [code, message]),
    [['limit_exceeded', 'this peer has too many connections at work']],
  );
  first.destroy();
  await until(() => crowd.stage.server.connections === 1);
  assert.equal(await crowd.ask('/greedy'), served);
});

test('of a peer with as many connections as it may have, the one that idled for longest gives way', async () => {
  await using crowd = await Crowd.open({ limits: { ...limits, maxPerPeer: 2 } });
  const oldest = (await crowd.hold('/many', '/')).resume();
  const closed = new Promise((resolve) => oldest.once('close', resolve));
  const newer = await crowd.hold('/many', '/');
  assert.equal(await crowd.ask('/many'), served);
  await closed;
  assert.equal(newer.destroyed, false);
  assert.equal(crowd.stage.server.tally.crowded, 0);
});

test('when all places are taken by idle connections, newcomers are served', async () => {
  await using crowd = await Crowd.open({ limits: { ...limits, maxConnections: 3 } });
  for (const path of ['/a', '/b', '/c']) await crowd.hold(path, '/');
  for (const path of ['/d', '/e', '/f']) assert.equal(await crowd.ask(path), served);
  assert.ok(crowd.stage.server.connections <= 3);
});

test('when all places are at work, there is one for a preferred peer alone', async () => {
  await using crowd = await Crowd.open({
    limits: { ...limits, maxConnections: 2, reserved: 1 },
    prefers: (peer) => peer.id.path === '/operator',
  });
  for (const path of ['/a', '/b']) await crowd.hold(path, '/wait');
  assert.equal(await crowd.ask('/c'), crowded);
  assert.equal(await crowd.ask('/operator'), served);
  await crowd.hold('/operator', '/wait');
  assert.equal(await crowd.ask('/operator'), crowded);
});

test('those who have to be told are few, and none of them stays', async () => {
  await using crowd = await Crowd.open({
    limits: { ...limits, maxPerPeer: 1, maxUnverified: 100, headerMs: 300 },
  });
  await crowd.hold('/greedy', '/wait');
  const credential = crowd.stage.domain.issue('/greedy').toPem();
  const closing = Array.from({ length: 80 }, async () => {
    const socket = connect({ ...crowd.stage.server.address, ...credential, rejectUnauthorized: false });
    // Read to its end, without which a socket does not close.
    socket.on('error', () => undefined).resume();
    await new Promise((resolve) => socket.once('close', resolve));
  });
  await until(() => crowd.stage.server.tally.crowded === 80);
  assert.ok(crowd.stage.server.connections <= 65);
  assert.equal(await crowd.ask('/other'), served);
  await Promise.all(closing);
  await until(() => crowd.stage.server.connections === 1);
});

test('places are counted once, however often one is given up', () => {
  const occupancy = new Occupancy({ maxConnections: 2, maxPerPeer: 1 });
  const busy = (holder: string): Occupant => ({ holder, idleSince: undefined, leave: () => assert.fail() });
  const [a, b] = [busy('a'), busy('b')];
  occupancy.enter(a);
  occupancy.enter(b);
  assert.equal(occupancy.makeRoom('a', true), 'peer');
  assert.equal(occupancy.makeRoom('c', true), 'all');
  occupancy.remove(a);
  occupancy.remove(a);
  assert.equal(occupancy.size, 1);
  assert.equal(occupancy.makeRoom('a', false), undefined);
  assert.equal(occupancy.makeRoom('b', false), 'peer');
});

test('addresses of one network of IPv6 are one origin', () => {
  assert.equal(originOf('127.0.0.1'), '127.0.0.1');
  assert.equal(originOf('::ffff:10.0.0.1'), '::ffff:10.0.0.1');
  assert.equal(originOf('2001:db8:1:2:3:4:5:6'), '2001:db8:1:2');
  assert.equal(originOf('2001:db8:1:2::9'), '2001:db8:1:2');
  assert.equal(originOf('fe80::1%eth0'), 'fe80:0:0:0');
  assert.equal(originOf('::1'), '0:0:0:0');
});
