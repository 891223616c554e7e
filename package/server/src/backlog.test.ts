import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';
import { Backlog } from './backlog.ts';

/** More than the buffers of the kernel take in. */
const body = Buffer.alloc(32 * 1024 * 1024);

/** A server that answers when it is told to, and callers of it that do not read. */
async function open() {
  const asked: ServerResponse[] = [];
  const server = createServer((_request, response) => void asked.push(response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const callers: Socket[] = [];
  return {
    async ask(requests = 1): Promise<{ caller: Socket; responses: ServerResponse[] }> {
      const before = asked.length;
      const caller = connect({ port, host: '127.0.0.1' });
      caller.on('error', () => undefined);
      callers.push(caller);
      caller.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(requests));
      while (asked.length < before + requests) await once(server, 'request');
      return { caller, responses: asked.slice(before) };
    },
    [Symbol.asyncDispose]: async () => {
      for (const caller of callers) caller.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

function answer(backlog: Backlog, response: ServerResponse | undefined): void {
  assert(response !== undefined);
  response.end(body);
  backlog.hold(response, body.byteLength);
}

test('the caller that has not read for longest is cut when too much waits, and the others are answered', async () => {
  await using stage = await open();
  const backlog = new Backlog(2.5 * body.byteLength);
  const [first, second, third] = [await stage.ask(), await stage.ask(), await stage.ask()];
  const cut = once(first.caller, 'close');
  for (const { responses } of [first, second, third]) answer(backlog, responses[0]);
  first.caller.resume();
  await cut;
  assert.equal(backlog.bytes, 2 * body.byteLength);
  for (const { caller, responses } of [second, third]) {
    caller.resume();
    await once(responses[0] as ServerResponse, 'finish');
  }
  assert.equal(backlog.bytes, 0);
});

test('answers that wait for their turn are forgotten with their connection, and a single one may be of any size', async () => {
  await using stage = await open();
  const backlog = new Backlog(body.byteLength / 2);
  const { caller, responses } = await stage.ask();
  answer(backlog, responses[0]);
  assert.equal(backlog.bytes, body.byteLength);
  caller.resume();
  await once(responses[0] as ServerResponse, 'finish');

  const wide = new Backlog();
  const pipelined = await stage.ask(2);
  for (const response of pipelined.responses) answer(wide, response);
  assert.equal(wide.bytes, 2 * body.byteLength);
  const socket = pipelined.responses[0]?.req.socket as Socket;
  const closed = new Promise((resolve) => socket.once('close', resolve));
  pipelined.caller.destroy();
  await closed;
  assert.equal(wide.bytes, 0);
});
