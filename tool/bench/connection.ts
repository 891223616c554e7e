import { connect, type SecureContext, type TLSSocket } from 'node:tls';

/**
 * One client's connection, as lean as it can be: requests are bytes made beforehand and answers are not parsed
 * further than to their end, so that the generator has time to spare while the server has none.
 */
export class Connection implements Disposable {
  /** When the handshake is through; it waits on where it is not. */
  readonly opened: Promise<void>;
  readonly #socket: TLSSocket;
  #answer: Buffer | undefined;
  #waiting:
    { readonly resolve: (status: number) => void; readonly reject: (error: Error) => void } | undefined;

  constructor(port: number, secureContext: SecureContext) {
    this.#socket = connect({
      host: '127.0.0.1',
      port,
      secureContext,
      rejectUnauthorized: true,
      // An X.509-SVID names no host.
      checkServerIdentity: () => undefined,
      ALPNProtocols: ['http/1.1'],
    });
    this.#socket.setNoDelay(true);
    this.opened = new Promise((resolve) => this.#socket.once('secureConnect', resolve));
    this.#socket.on('data', (chunk: Buffer) => this.#take(chunk));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server ended the connection')));
  }

  /** The status of the answer, once all of it is here. */
  exchange(request: Uint8Array): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#waiting = { resolve, reject };
    this.#socket.write(request);
    return promise;
  }

  [Symbol.dispose](): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    const answer = this.#answer === undefined ? chunk : Buffer.concat([this.#answer, chunk]);
    this.#answer = answer;
    const end = answer.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = answer.toString('latin1', 0, end);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1]);
    if (Number.isNaN(length)) this.#fail(new Error('an answer without a length'));
    if (answer.byteLength < end + 4 + length) return;
    this.#answer = undefined;
    const status = Number(head.slice(9, 12));
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (status === 200) waiting?.resolve(status);
    else waiting?.reject(new Error(`status ${status}: ${answer.toString('utf8', end + 4)}`));
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}
