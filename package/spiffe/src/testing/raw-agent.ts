import { once } from 'node:events';
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
} from 'node:http2';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a raw agent can do with one call; `call` counts from 1. */
export interface RawTurn {
  readonly call: number;
  readonly path: string;
  readonly send: (frame: Uint8Array) => void;
  readonly end: (status: string, message?: string) => void;
  /** Ends the connection as grpc-go does when it is asked for signs of life too often. */
  readonly calm: () => void;
  readonly cut: () => void;
}

/** A Workload API made of bare node:http2, which does what the real one never should. */
export class RawAgent implements AsyncDisposable {
  readonly endpoint: string;
  readonly headers: IncomingHttpHeaders[] = [];
  readonly #server: Http2Server;
  readonly #directory: string | undefined;
  readonly #sessions = new Set<ServerHttp2Session>();

  private constructor(
    answer: (turn: RawTurn) => void,
    directory: string | undefined,
    endpoint: string,
    server: Http2Server,
  ) {
    this.#directory = directory;
    this.#server = server;
    this.endpoint = endpoint;
    server.on('session', (session) => {
      this.#sessions.add(session);
      session.on('error', () => undefined);
      session.on('stream', (stream, headers) => {
        this.headers.push(headers);
        stream.on('error', () => undefined);
        const begin = (): void => {
          if (!stream.headersSent) {
            stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
          }
        };
        answer({
          call: this.headers.length,
          path: headers[':path'] ?? '',
          send: (frame) => {
            begin();
            stream.write(frame);
          },
          end: (status, message = '') => {
            begin();
            stream.on('wantTrailers', () =>
              stream.sendTrailers({ 'grpc-status': status, 'grpc-message': message }),
            );
            stream.end();
          },
          // A turn later, so that what was sent before is on its way.
          calm: () =>
            void setImmediate(() =>
              session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 1, Buffer.from('too_many_pings')),
            ),
          cut: () => session.destroy(),
        });
      });
    });
  }

  static async open(answer: (turn: RawTurn) => void): Promise<RawAgent> {
    const directory = await mkdtemp(join(tmpdir(), 'spiffe-raw-'));
    const path = join(directory, 's');
    const server = createServer().listen({ path });
    await once(server, 'listening');
    return new RawAgent(answer, directory, `unix://${path}`, server);
  }

  static async tcp(answer: (turn: RawTurn) => void): Promise<RawAgent> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : undefined;
    return new RawAgent(answer, undefined, `tcp://127.0.0.1:${port ?? 0}`, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const session of this.#sessions) session.destroy();
    await closed;
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true, force: true });
  }
}
