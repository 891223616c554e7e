import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { connect } from 'node:tls';
import { test } from 'node:test';
import { limits, Stage, until } from '../testing/stage.ts';

const good = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}';

/** What is not a request, and the status that it gets. */
const malformed: Readonly<Record<string, readonly [text: string, status: number]>> = {
  'both framings': [
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
  ],
  'two lengths': ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}', 400],
  'a negative length': ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n', 400],
  'a huge length': [`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${'9'.repeat(40)}\r\n\r\n`, 400],
  'a folded header': ['POST / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n', 400],
  'a header with NUL': ['POST / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n', 400],
  'bare line feeds': ['POST / HTTP/1.1\nHost: a\n\n', 400],
  'a bare carriage return': ['POST / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n', 400],
  'a space before a colon': ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 0\r\n\r\n', 400],
  'no version': ['POST /\r\n\r\n', 400],
  'the preface of HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  'a tunnel': ['CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  'a header that is too large': [`POST / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  'no host': ['POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}', 400],
  'an unknown expectation': [
    'POST / HTTP/1.1\r\nHost: a\r\nExpect: gold\r\nContent-Length: 2\r\n\r\n{}',
    400,
  ],
};

async function say(stage: Stage, text: string): Promise<string> {
  const credential = stage.domain.issue('/workload').toPem();
  const socket = connect({ ...stage.server.address, ...credential, rejectUnauthorized: false });
  let answer = '';
  socket.on('error', () => undefined).on('data', (part: Buffer) => (answer += part.toString()));
  socket.write(text);
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

for (const [why, [text, status]] of Object.entries(malformed)) {
  test(`${why} is refused with ${status} and counted, and nothing after it is read`, async () => {
    await using stage = await Stage.open();
    const answer = await say(stage, text + good.repeat(3));
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.equal(answer.split('HTTP/1.1').length, 2);
    assert.equal(stage.peers.length, 0);
    assert.equal(stage.server.tally.malformed, 1);
    assert.equal((await stage.get()).status, 200);
  });
}

test('a listener hears who sent it and answers it', async () => {
  const heard: unknown[] = [];
  await using stage = await Stage.open({
    onMalformed: ({ peer, code, status, socket }) => {
      heard.push([peer.id.path, code, status]);
      socket.end('no');
      setImmediate(() => socket.destroy());
    },
  });
  assert.equal(await say(stage, 'nonsense\r\n\r\n'), 'no');
  assert.deepEqual(heard, [['/workload', 'HPE_INVALID_METHOD', 400]]);
});

test('garbage behind a request that is at work gets no answer that could be taken for its own', async () => {
  const waiting: ServerResponse[] = [];
  const heard: unknown[] = [];
  await using stage = await Stage.open({
    handler: (_request, response) => void waiting.push(response),
    onMalformed: ({ status }) => heard.push(status),
  });
  const answer = say(stage, `${good}garbage\r\n\r\n`);
  assert.equal(await answer, '');
  assert.equal(waiting.length, 1);
  assert.deepEqual(heard, [undefined]);
});

test('nothing behind the last request of a connection is handed on', async () => {
  await using stage = await Stage.open();
  const socket = connect({
    ...stage.server.address,
    ...stage.domain.issue('/workload').toPem(),
    rejectUnauthorized: false,
  });
  socket.on('error', () => undefined).resume();
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nExpect: gold\r\nContent-Length: 0\r\n\r\n');
  socket.write(good.repeat(5));
  await new Promise((resolve) => socket.once('close', resolve));
  assert.equal(stage.peers.length, 0);
});

test('a request that does not come in time is answered 408, and is not called malformed', async () => {
  await using stage = await Stage.open({ limits: { ...limits, headerMs: 100 } });
  assert.match(await say(stage, 'POST / HTTP/1.1\r\nHost: a'), /^HTTP\/1\.1 408 /);
  assert.equal(stage.server.tally.malformed, 0);
});

test('a handshake that fails is no malformed request', async () => {
  await using stage = await Stage.open();
  const socket = connect({ ...stage.server.address, rejectUnauthorized: false });
  socket.on('error', () => undefined);
  await new Promise((resolve) => socket.once('close', resolve));
  await until(() => stage.server.tally.refused === 1);
  assert.equal(stage.server.tally.malformed, 0);
});
