import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import {
  createServer as createSocketServer,
  connect,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net';
import { test } from 'node:test';
import { SpiffeError, type SpiffeErrorCode } from '../error.ts';
import { callMethod, TooManyPings, type GrpcCallOption, type GrpcTarget } from './client.ts';
import { encodeFrame } from './frame.ts';
import type { Method } from './method.ts';
import { message, text } from './schema.ts';

const note = message({ text: text(1) });
type Note = { readonly text: string };
const method = (kind: 'unary' | 'stream'): Method<Note, Note> => ({
  path: '/S/M',
  kind,
  request: note,
  response: note,
});
const option: GrpcCallOption = { pingMs: 20, silenceMs: 2000, probe: 'ping' };
const grpcHead = { ':status': 200, 'content-type': 'application/grpc' };
const frameOf = (value: string): Uint8Array => encodeFrame(note.encode({ text: value }));

/** Listens on a port of 127.0.0.1 and goes away, with all its connections, at the end of the block. */
class RawServer implements AsyncDisposable {
  readonly target: GrpcTarget;
  readonly #server: Server;
  readonly #destroy: () => void;

  private constructor(server: Server, destroy: () => void) {
    this.#server = server;
    this.#destroy = destroy;
    const { port } = server.address() as AddressInfo;
    this.target = { kind: 'tcp', host: '127.0.0.1', port };
  }

  static async http2(
    answer: (stream: ServerHttp2Stream, session: ServerHttp2Session, headers: IncomingHttpHeaders) => void,
  ): Promise<RawServer> {
    const server = createServer();
    const sessions = new Set<ServerHttp2Session>();
    server.on('session', (session) => {
      sessions.add(session);
      session.on('stream', (stream, headers) => {
        stream.on('error', () => undefined);
        answer(stream, session, headers);
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RawServer(server, () => sessions.forEach((session) => session.destroy()));
  }

  static async bytes(answer: Uint8Array | undefined): Promise<RawServer> {
    return RawServer.sockets((socket) => {
      if (answer !== undefined) socket.write(answer);
    });
  }

  static async sockets(answer: (socket: Socket) => void): Promise<RawServer> {
    const sockets = new Set<Socket>();
    const server = createSocketServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      answer(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RawServer(server, () => sockets.forEach((socket) => socket.destroy()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#destroy();
    await closed;
  }
}

async function collect(
  server: RawServer,
  kind: 'unary' | 'stream' = 'stream',
  choice: Partial<GrpcCallOption> = {},
  signal: AbortSignal = AbortSignal.timeout(2500),
): Promise<{ received: string[]; error: SpiffeError | undefined }> {
  const received: string[] = [];
  try {
    for await (const bytes of callMethod(
      server.target,
      method(kind),
      { text: 'q' },
      { ...option, ...choice },
      signal,
    )) {
      received.push(note.decode(bytes).text);
    }
    return { received, error: undefined };
  } catch (error) {
    assert.ok(error instanceof SpiffeError, String(error));
    return { received, error };
  }
}

function endWith(
  stream: ServerHttp2Stream,
  frames: readonly Uint8Array[],
  trailers: Record<string, string>,
): void {
  stream.respond(grpcHead, { waitForTrailers: true });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers));
  for (const frame of frames) stream.write(frame);
  stream.end();
}

test('all messages of a stream that ends well are received', async () => {
  await using server = await RawServer.http2((stream) => {
    endWith(stream, [frameOf('a'), frameOf('b')], { 'grpc-status': '0' });
  });
  assert.deepEqual(await collect(server), { received: ['a', 'b'], error: undefined });
});

test('the request has the headers of gRPC and one message', async () => {
  const seen = Promise.withResolvers<{ headers: IncomingHttpHeaders; body: Buffer }>();
  await using server = await RawServer.http2((stream, _session, headers) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      seen.resolve({ headers, body: Buffer.concat(chunks) });
      endWith(stream, [frameOf('a')], { 'grpc-status': '0' });
    });
  });
  await collect(server, 'unary', { headers: { 'workload.spiffe.io': 'true' } });
  const { headers, body } = await seen.promise;
  assert.deepEqual(body, Buffer.from(frameOf('q')));
  assert.equal(headers[':method'], 'POST');
  assert.equal(headers[':path'], '/S/M');
  assert.equal(headers['content-type'], 'application/grpc');
  assert.equal(headers['te'], 'trailers');
  assert.equal(headers['workload.spiffe.io'], 'true');
});

test('a message survives being cut into single bytes', async () => {
  await using server = await RawServer.http2((stream) => {
    endWith(
      stream,
      [...frameOf('abc')].map((byte) => Uint8Array.of(byte)),
      { 'grpc-status': '0' },
    );
  });
  assert.deepEqual((await collect(server, 'unary')).received, ['abc']);
});

const failures: readonly {
  readonly name: string;
  readonly code: SpiffeErrorCode;
  readonly kind?: 'unary' | 'stream';
  readonly received?: readonly string[];
  readonly answer: (stream: ServerHttp2Stream, session: ServerHttp2Session) => void;
}[] = [
  {
    name: 'a status in an answer of headers alone is thrown',
    code: 'permission_denied',
    answer: (stream) =>
      stream.respond({ ...grpcHead, 'grpc-status': '7', 'grpc-message': 'no' }, { endStream: true }),
  },
  {
    name: 'a status in trailers is thrown after the messages before it',
    code: 'unavailable',
    received: ['a'],
    answer: (stream) => endWith(stream, [frameOf('a')], { 'grpc-status': '14' }),
  },
  {
    name: 'status 1 that we did not cause is an unavailable server',
    code: 'unavailable',
    answer: (stream) => endWith(stream, [], { 'grpc-status': '1' }),
  },
  {
    name: 'trailers without a status are a broken call',
    code: 'connection_failed',
    received: ['a'],
    answer: (stream) => endWith(stream, [frameOf('a')], { other: '1' }),
  },
  {
    name: 'a status that is no number is refused',
    code: 'protocol_invalid',
    answer: (stream) => endWith(stream, [], { 'grpc-status': 'seven' }),
  },
  {
    name: 'HTTP status 404 is an unimplemented call',
    code: 'unimplemented',
    answer: (stream) => stream.respond({ ':status': 404 }, { endStream: true }),
  },
  {
    name: 'HTTP status 503 is an unavailable server',
    code: 'unavailable',
    answer: (stream) => stream.respond({ ':status': 503 }, { endStream: true }),
  },
  {
    name: 'HTTP status 403 is no verdict of the Workload API',
    code: 'protocol_invalid',
    answer: (stream) => stream.respond({ ':status': 403 }, { endStream: true }),
  },
  {
    name: 'a page is not taken for gRPC',
    code: 'protocol_invalid',
    answer: (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'text/html' });
      stream.end('<html>');
    },
  },
  {
    name: 'content types that only begin like gRPC are not taken for it',
    code: 'protocol_invalid',
    answer: (stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc-web' });
      stream.end(frameOf('a'));
    },
  },
  {
    name: 'an answer that says that it is compressed is refused',
    code: 'protocol_invalid',
    answer: (stream) => {
      stream.respond({ ...grpcHead, 'grpc-encoding': 'gzip' });
      stream.end(frameOf('a'));
    },
  },
  {
    name: 'a compressed message is refused',
    code: 'protocol_invalid',
    answer: (stream) => endWith(stream, [Uint8Array.of(1, 0, 0, 0, 0)], { 'grpc-status': '0' }),
  },
  {
    name: 'a message that says it is enormous is refused before it arrives',
    code: 'limit_exceeded',
    answer: (stream) => {
      stream.respond(grpcHead);
      stream.write(Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff));
    },
  },
  {
    name: 'a message that is cut off is refused',
    code: 'protocol_invalid',
    answer: (stream) => endWith(stream, [frameOf('abc').subarray(0, 7)], { 'grpc-status': '0' }),
  },
  {
    name: 'a unary call with two answers is refused',
    code: 'protocol_invalid',
    kind: 'unary',
    received: ['a'],
    answer: (stream) => endWith(stream, [frameOf('a'), frameOf('b')], { 'grpc-status': '0' }),
  },
  {
    name: 'a unary call without an answer is refused',
    code: 'protocol_invalid',
    kind: 'unary',
    answer: (stream) => endWith(stream, [], { 'grpc-status': '0' }),
  },
  {
    name: 'a stream that is reset is a broken connection',
    code: 'connection_failed',
    answer: (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR),
  },
  {
    name: 'a stream that is reset after a message is a broken connection',
    code: 'connection_failed',
    received: ['a'],
    answer: (stream) => {
      stream.respond(grpcHead);
      stream.write(frameOf('a'), () => setImmediate(() => stream.close(constants.NGHTTP2_CANCEL)));
    },
  },
  {
    name: 'a connection that ends with GOAWAY and an error is a broken connection',
    code: 'connection_failed',
    answer: (_stream, session) => session.goaway(constants.NGHTTP2_INTERNAL_ERROR),
  },
  {
    name: 'a connection that is cut is a broken connection',
    code: 'connection_failed',
    answer: (_stream, session) => session.destroy(),
  },
];

for (const { name, code, kind, received, answer } of failures) {
  test(name, async () => {
    await using server = await RawServer.http2(answer);
    const outcome = await collect(server, kind);
    assert.equal(outcome.error?.code, code);
    assert.deepEqual(outcome.received, received ?? []);
  });
}

test('a server that has enough of pings is told apart from one that fails', async () => {
  await using server = await RawServer.http2((_stream, session) => {
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from('too_many_pings'));
  });
  assert.ok((await collect(server)).error instanceof TooManyPings);
});

for (const probe of ['ping', 'settings'] as const) {
  test(`a server that only answers ${probe} frames is alive`, async () => {
    await using server = await RawServer.http2((stream) => {
      stream.respond(grpcHead, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      setTimeout(() => stream.end(frameOf('late')), 900);
    });
    assert.deepEqual(await collect(server, 'stream', { probe, silenceMs: 300 }), {
      received: ['late'],
      error: undefined,
    });
  });
}

test('a server that says nothing at all counts as dead after the silence', async () => {
  await using server = await RawServer.bytes(undefined);
  const { error } = await collect(server, 'stream', { silenceMs: 120 });
  assert.equal(error?.code, 'connection_failed');
  assert.match(error.message, /silent for 120 ms/);
});

test('a server that hangs after its first message counts as dead after the silence', async () => {
  let hang = (): void => undefined;
  await using alive = await RawServer.http2((stream) => {
    stream.respond(grpcHead);
    stream.write(frameOf('a'), () => setTimeout(hang, option.pingMs));
  });
  // A stopped process: its connections stay, and nothing is read or written any more.
  await using server = await RawServer.sockets((socket) => {
    assert.equal(alive.target.kind, 'tcp');
    const behind = connect({ host: '127.0.0.1', port: alive.target.kind === 'tcp' ? alive.target.port : 0 });
    behind.on('error', () => undefined);
    socket.on('close', () => behind.destroy());
    socket.pipe(behind).pipe(socket);
    hang = () => {
      socket.unpipe(behind).pause();
      behind.unpipe(socket).pause();
    };
  });
  const outcome = await collect(server, 'stream', { silenceMs: 120 });
  assert.deepEqual(outcome.received, ['a']);
  assert.equal(outcome.error?.code, 'connection_failed');
});

test('a server that does not speak HTTP/2 is a broken connection', async () => {
  await using server = await RawServer.bytes(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
  assert.equal((await collect(server)).error?.code, 'connection_failed');
});

test('an address where nobody listens is said to be so at once', async () => {
  let target: GrpcTarget;
  {
    await using server = await RawServer.bytes(undefined);
    target = server.target;
  }
  const call = callMethod(target, method('unary'), { text: '' }, option, AbortSignal.timeout(2500));
  await assert.rejects(call.next(), (error) => {
    return (
      error instanceof SpiffeError && error.code === 'connection_failed' && /ECONNREFUSED/.test(error.message)
    );
  });
});

test('a timeout and an abort end a call that waits, each by its name', async () => {
  await using server = await RawServer.http2((stream) => stream.respond(grpcHead));
  assert.equal(
    (await collect(server, 'stream', {}, AbortSignal.timeout(30))).error?.code,
    'deadline_exceeded',
  );
  const abort = new AbortController();
  setImmediate(() => abort.abort());
  assert.equal((await collect(server, 'stream', {}, abort.signal)).error?.code, 'aborted');
  assert.equal((await collect(server, 'stream', {}, AbortSignal.abort())).error?.code, 'aborted');
});

test('the server sees a stream reset when the caller has heard enough', async () => {
  const closed = Promise.withResolvers<number>();
  await using server = await RawServer.http2((stream) => {
    stream.on('close', () => closed.resolve(stream.rstCode));
    stream.respond(grpcHead);
    stream.write(frameOf('a'));
  });
  for await (const _ of callMethod(
    server.target,
    method('stream'),
    { text: '' },
    option,
    AbortSignal.timeout(2500),
  ))
    break;
  assert.equal(await closed.promise, constants.NGHTTP2_CANCEL);
});
