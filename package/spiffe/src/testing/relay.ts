import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Stands between a client and a server on a Unix socket, and does to their bytes what a bad day does. */
export class Relay implements AsyncDisposable {
  readonly path: string;
  readonly endpoint: string;
  readonly #directory: string;
  readonly #target: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #mute = false;
  /** So many bytes of the server still get through before the connection is cut; undefined for all. */
  #left: number | undefined;

  private constructor(directory: string, target: string) {
    this.#directory = directory;
    this.#target = target;
    this.path = join(directory, 's');
    this.endpoint = `unix://${this.path}`;
  }

  static async open(target: string): Promise<Relay> {
    const relay = new Relay(await mkdtemp(join(tmpdir(), 'spiffe-relay-')), target);
    await relay.start();
    return relay;
  }

  async start(): Promise<void> {
    this.#mute = false;
    this.#server = createServer((client) => this.#join(client)).listen({ path: this.path });
    await once(this.#server, 'listening');
  }

  /** Nobody listens any more, and every connection is cut. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Connections stay, and nothing gets through. */
  mute(): void {
    this.#mute = true;
    for (const socket of this.#sockets) socket.pause();
  }

  unmute(): void {
    this.#mute = false;
    for (const socket of this.#sockets) socket.resume();
  }

  /** What the server says next is cut off, with its connection, after so many bytes. */
  cutAfter(bytes: number): void {
    this.#left = bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  #join(client: Socket): void {
    const server = connect({ path: this.#target });
    this.#own(client, server);
    this.#own(server, client);
    client.on('data', (chunk) => server.write(chunk));
    server.on('data', (chunk: Buffer) => this.#pass(chunk, client, server));
    // To listen for data is to let it flow.
    if (this.#mute) for (const socket of [client, server]) socket.pause();
  }

  #own(socket: Socket, other: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      other.destroy();
    });
  }

  #pass(chunk: Buffer, client: Socket, server: Socket): void {
    if (this.#left === undefined || chunk.length < this.#left) {
      client.write(chunk);
      if (this.#left !== undefined) this.#left -= chunk.length;
      return;
    }
    client.end(chunk.subarray(0, this.#left), () => client.destroy());
    this.#left = undefined;
    server.pause();
  }
}
