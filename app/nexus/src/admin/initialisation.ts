import { SpikeError } from '@spike/error';
import { KeyedLock } from '../service/keyed-lock.ts';
import type { BookSet } from './book-set.ts';
import type { Credentials } from './credential.ts';
import type { InitCode } from './init-code.ts';
import type { AccessAlerts, Entering } from './port.ts';
import { tokenLimits, type Begun, type TokenBook } from './token-book.ts';
import { makeToken } from './token-text.ts';

export interface InitRequest {
  /** Parsed. */
  readonly user: string;
  readonly password: string;
  readonly code: string;
}

export interface InitialisationOptions {
  readonly books: BookSet;
  readonly code: InitCode;
  readonly credentials: Credentials;
  readonly tokens: TokenBook;
  readonly alerts: AccessAlerts;
  /** Milliseconds since 1970, for what people read. */
  readonly wall?: () => number;
}

/** The first administrator, once (admin.md A): one record by compare-and-set from absent, in one transaction with his own. */
export class Initialisation {
  readonly #options: InitialisationOptions;
  readonly #lock = new KeyedLock();

  constructor(options: InitialisationOptions) {
    this.#options = options;
  }

  get done(): { readonly at: number; readonly by: string } | undefined {
    return this.#options.books.setting('initialised');
  }

  /** Makes and shows a code, when there is something to initialise. */
  async open(): Promise<void> {
    const { code } = this.#options;
    if (this.done === undefined) await code.renew();
    else await code.clear();
  }

  /**
   * Throws SpikeError `state_already_initialized`, `login_refused` for a wrong code, `password_weak`. One at a
   * time, so that of many at once the others cost nothing.
   */
  async run(request: InitRequest, asked: Entering): Promise<Begun> {
    return await this.#lock.run('init', () => this.#runAlone(request, asked), asked.signal);
  }

  async #runAlone({ user, password, code }: InitRequest, asked: Entering): Promise<Begun> {
    const { books, credentials, tokens, wall = Date.now } = this.#options;
    await books.settle();
    if (this.done !== undefined) {
      this.#alert(asked, 'somebody tried to initialise a system that is initialised');
      throw alreadyDone();
    }
    if (!(await this.#options.code.matches(code))) {
      this.#alert(asked, 'somebody tried to initialise the system with a wrong code');
      throw new SpikeError(
        'login_refused',
        'this is not the init code: read the file that Nexus wrote it to again',
      );
    }
    const hash = await credentials.first(password, user, asked.signal);
    const at = wall();
    const { spiffeId, remoteAddress, draft } = asked;
    const token = makeToken();
    const record = draft?.({ administrator: user, accessor: token.accessor });
    await books.commit(
      [
        books.prepareSetting({ kind: 'initialised', at, by: user, spiffeId }),
        books.prepareNoSetting('init-code'),
        books.prepareAdministrator({
          name: user,
          role: 'super_admin',
          tenant: undefined,
          spiffeId,
          state: 'enabled',
          password: hash,
          earlier: [],
          oneTimeUntil: undefined,
          epoch: 1,
          createdAt: books.clock.now(),
          createdWall: at,
          createdBy: user,
          issuedBy: user,
          issuedAt: books.clock.now(),
          issuedWall: at,
        }),
      ],
      record === undefined ? asked : { ...asked, record },
    );
    await this.#options.code.clear().catch(() => undefined);
    return tokens.begin({
      token,
      administrator: user,
      epoch: 1,
      spiffeId,
      remoteAddress,
      scope: 'all',
      ttlMs: tokenLimits.defaultTtlMs,
      uses: undefined,
    });
  }

  #alert({ spiffeId, remoteAddress }: Entering, message: string): void {
    this.#options.alerts.raise({
      kind: 'initialization_attempt',
      subject: spiffeId,
      message,
      detail: { remoteAddress },
    });
  }
}

function alreadyDone(): SpikeError {
  return new SpikeError('state_already_initialized', 'this system has its administrators: run spike login');
}
