import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  connect as connectHttp2,
  constants,
  type ClientHttp2Session,
  type IncomingHttpHeaders,
} from 'node:http2';
import { connect } from 'node:net';
import { encodeFrame, FrameReader } from '../grpc/frame.ts';
import { x509SvidResponseSchema, type X509SvidResponse } from '../workload/message.ts';

export const goodHeaders = { 'workload.spiffe.io': 'true' };
export const svidPath = '/SpiffeWorkloadAPI/FetchX509SVID';

/** A client that is made of nothing but node:http2, so that it can do what a good one does not. */
export class RawClient implements AsyncDisposable {
  readonly session: ClientHttp2Session;

  constructor(path: string) {
    this.session = connectHttp2('http://localhost', { createConnection: () => connect({ path }) });
    this.session.on('error', () => undefined);
  }

  call(
    path: string,
    headers: Record<string, string> = goodHeaders,
    body: Uint8Array = encodeFrame(new Uint8Array(0)),
  ): RawCall {
    return new RawCall(this.session, { ':path': path, ...headers }, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.session.closed && this.session.destroyed) return;
    const closed = once(this.session, 'close');
    this.session.destroy();
    await closed;
  }
}

export class RawCall {
  readonly status: Promise<string>;
  readonly httpStatus: Promise<unknown>;
  readonly messages: AsyncGenerator<Uint8Array, void, undefined>;
  readonly cancel: () => void;

  constructor(session: ClientHttp2Session, headers: Record<string, string>, body: Uint8Array) {
    const stream = session.request({
      ':method': 'POST',
      'content-type': 'application/grpc',
      te: 'trailers',
      ...headers,
    });
    stream.on('error', () => undefined);
    // Whatever a test waits for of this call ends with the stream.
    const late = setTimeout(() => stream.destroy(), 8000);
    stream.on('close', () => clearTimeout(late));
    stream.end(body);
    let block: IncomingHttpHeaders = {};
    const httpStatus = Promise.withResolvers<unknown>();
    const status = Promise.withResolvers<string>();
    stream.on('response', (head) => {
      httpStatus.resolve(head[':status']);
      block = head;
    });
    stream.on('trailers', (trailer) => (block = trailer));
    stream.on('close', () => status.resolve(String(block['grpc-status'])));
    this.httpStatus = httpStatus.promise;
    this.status = status.promise;
    this.cancel = () => stream.close(constants.NGHTTP2_CANCEL);
    this.messages = (async function* () {
      const reader = new FrameReader(1 << 20);
      const chunks: AsyncIterable<Uint8Array> = stream.iterator({ destroyOnReturn: false });
      for await (const chunk of chunks) yield* reader.push(chunk);
    })();
    stream.pause();
  }

  async statusNow(): Promise<string> {
    try {
      for await (const _ of this.messages);
    } catch {
      // The status says what came of the call; a stream that was reset has none.
    }
    return this.status;
  }

  async next(): Promise<X509SvidResponse> {
    const step = await this.messages.next();
    assert.ok(step.done !== true, 'the stream ended');
    return x509SvidResponseSchema.decode(step.value);
  }
}
