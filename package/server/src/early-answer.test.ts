import { once } from 'node:events';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { connect as connectTls } from 'node:tls';
import { authorizeAny } from '@spike/spiffe';
import { listen } from './listen.ts';
import { Stage } from './testing/stage.ts';

const timeoutMs = 2000;
const part = Buffer.alloc(100_000, 'x');

void test('a caller that is refused while it still sends can send on, and has its answer, whole', async () => {
  const stage = Stage.ofNexus();
  await using server = await listen(
    {
      ...stage.options,
      source: stage.world.source('/spike/nexus'),
      authorize: authorizeAny(),
      host: '127.0.0.1',
      port: 0,
    },
    AbortSignal.timeout(timeoutMs),
  );
  const { cert, key } = stage.world.svid('/app').toPem();
  const socket = connectTls({ ...server.address, cert, key, rejectUnauthorized: false });
  const errors: Error[] = [];
  socket.on('error', (error) => errors.push(error));
  await once(socket, 'secureConnect');
  const head = `POST /v1/cipher/encrypt HTTP/1.1\r\nHost: x\r\nContent-Length: ${3 * part.length}\r\n\r\n`;
  socket.write(Buffer.concat([Buffer.from(head), part]));
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'data');
  // It has its answer and does not look at it yet, as a client that writes before it reads.
  socket.write(part);
  socket.write(part);
  await once(socket, 'close');
  assert.deepEqual(errors, []);
  const answer = Buffer.concat(chunks).toString();
  assert.match(answer, /^HTTP\/1\.1 401 [^]*\r\nConnection: close\r\n[^]*"err":"access_unauthorized"[^]*\}$/);
});
