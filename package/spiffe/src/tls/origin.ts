import type { PoolConnection } from './pool-connection.ts';

/** Somebody in line: served with a connection, or with leave to open one. */
type Turn = PoolConnection | 'open';

/** The connections to one host and port: which idle, how many there are, who waits. */
export class Origin {
  readonly #maxSockets: number;
  readonly #open: (signal: AbortSignal) => Promise<PoolConnection>;
  readonly #idle: PoolConnection[] = [];
  readonly #waiting: { readonly resolve: (turn: Turn) => void }[] = [];
  #count = 0;

  constructor(maxSockets: number, open: (signal: AbortSignal) => Promise<PoolConnection>) {
    this.#maxSockets = maxSockets;
    this.#open = open;
  }

  /** Whether nothing is open and nobody waits. */
  get unused(): boolean {
    return this.#count === 0 && this.#waiting.length === 0;
  }

  /** A connection for one request: the one used last, or with `fresh` a new one. */
  async acquire(fresh: boolean, signal: AbortSignal): Promise<PoolConnection> {
    signal.throwIfAborted();
    const idle = this.#takeIdle();
    if (idle !== undefined && !fresh) return claim(idle);
    // A new one was asked for: the one at hand makes room for it.
    idle?.verified.end();
    if (this.#count < this.#maxSockets) {
      this.#count += 1;
      return this.#openOne(signal);
    }
    const turn = await this.#wait(signal);
    if (turn === 'open') return this.#openOne(signal);
    if (!fresh) return turn;
    turn.verified.end();
    return this.acquire(fresh, signal);
  }

  /** An answer was read to its end. */
  release(connection: PoolConnection): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(connection);
    else next.resolve(claim(connection));
  }

  /** A connection is closed, or was never opened. */
  forget(connection?: PoolConnection): void {
    const at = connection === undefined ? -1 : this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    const next = this.#waiting.shift();
    // Whoever is next in line takes the place over, so that nobody comes in between.
    if (next === undefined) this.#count -= 1;
    else next.resolve('open');
  }

  #takeIdle(): PoolConnection | undefined {
    const now = Date.now();
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.isUsable(now)) return connection;
      connection.verified.end();
    }
    return undefined;
  }

  /** Its place is counted already. */
  async #openOne(signal: AbortSignal): Promise<PoolConnection> {
    try {
      return await this.#open(signal);
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  async #wait(signal: AbortSignal): Promise<Turn> {
    const { promise, resolve, reject } = Promise.withResolvers<Turn>();
    const waiter = { resolve };
    const leave = (): void => {
      const at = this.#waiting.indexOf(waiter);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(signal.reason);
    };
    signal.addEventListener('abort', leave, { once: true });
    this.#waiting.push(waiter);
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }
}

function claim(connection: PoolConnection): PoolConnection {
  connection.take();
  return connection;
}
