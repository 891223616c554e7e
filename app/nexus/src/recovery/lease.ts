import { randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import { SpikeError } from '@spike/error';

export interface LeaseGrant {
  readonly instance: string;
  readonly lease: string;
  readonly expiresInMs: number;
}

interface Running {
  readonly instance: string;
  readonly token: Buffer;
  readonly expiresAt: number;
}

const tokenBytes = 16;

/**
 * The lease of the Bootstrap ceremony: at most one Bootstrap at a time gets an instance id to bootstrap. Kept in the
 * memory of Nexus alone, on the monotonic clock; after a restart of Nexus a Bootstrap begins anew.
 */
export class Lease {
  readonly #ttlMs: number;
  readonly #now: () => number;
  #running: Running | undefined;

  constructor(ttlMs: number, now: () => number = () => performance.now()) {
    this.#ttlMs = ttlMs;
    this.#now = now;
  }

  /** The instance id of the ceremony that is open; undefined when none is. */
  get instance(): string | undefined {
    return this.#current()?.instance;
  }

  /** Gives a new lease, or renews the one whose token is shown. Throws `bootstrap_lease_held` while another runs. */
  begin(shown: string | undefined): LeaseGrant {
    const running = this.#current();
    if (running === undefined) return this.#grant(randomUUID(), randomBytes(tokenBytes));
    if (shown !== undefined && isToken(shown, running.token))
      return this.#grant(running.instance, running.token);
    throw this.#held(running);
  }

  /**
   * The instance id for whoever shows the lease that runs; undefined when none runs. Throws `bootstrap_lease_held` for
   * everybody else while one does.
   */
  admit(shown: string | undefined): string | undefined {
    const running = this.#current();
    if (running === undefined) return undefined;
    if (shown !== undefined && isToken(shown, running.token)) return running.instance;
    throw this.#held(running);
  }

  #held(running: Running): SpikeError {
    const seconds = Math.ceil((running.expiresAt - this.#now()) / 1000);
    return new SpikeError(
      'bootstrap_lease_held',
      `another Bootstrap holds the lease for up to ${seconds} s; let it finish, or try again after that`,
    );
  }

  #grant(instance: string, token: Buffer): LeaseGrant {
    this.#running = { instance, token, expiresAt: this.#now() + this.#ttlMs };
    return { instance, lease: token.toString('hex'), expiresInMs: this.#ttlMs };
  }

  #current(): Running | undefined {
    if (this.#running !== undefined && this.#now() >= this.#running.expiresAt) this.#running = undefined;
    return this.#running;
  }
}

function isToken(shown: string, token: Buffer): boolean {
  const bytes = Buffer.from(shown, 'hex');
  return bytes.length === token.length && timingSafeEqual(bytes, token);
}
