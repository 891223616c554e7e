import { RoleBook } from '@spike/server';
import { SpikeError } from '@spike/error';
import { SpiffeId } from '@spike/spiffe';
import type { Secret } from '@spike/crypto';
import type { Ledger, Vault } from '../vault/port.ts';
import { Access } from './access.ts';
import { Administrators } from './administrator.ts';
import { defaultRules } from './attempt-rule.ts';
import { BookSet } from './book-set.ts';
import { AdminClock } from './clock.ts';
import { Credentials } from './credential.ts';
import { HashQueue } from './hash-queue.ts';
import { codeFile, InitCode } from './init-code.ts';
import { Initialisation } from './initialisation.ts';
import { Login } from './login.ts';
import type { PasswordPolicy } from './password.ts';
import { PasswordCheck } from './password-check.ts';
import { PasswordJudge, type Guessability } from './password-judge.ts';
import type { Argon2, HashCost } from './password-hash.ts';
import type { AccessAlerts } from './port.ts';
import { RateLimit } from './rate-limit.ts';
import { Sessions } from './session.ts';
import { TokenBook } from './token-book.ts';

/** What a person may set, and what is outside of the store. */
export interface LayerSettings {
  readonly passwords: PasswordPolicy;
  /** Passwords before a new one that it may not be. */
  readonly remembered: number;
  readonly idleMs: number;
  readonly lockout: { readonly failures: number; readonly ms: number };
  readonly initCodeFile: string;
  readonly roles: RoleBook;
  readonly alerts: AccessAlerts;
  /** Whether a break-glass is open for this administrator. Nobody has one unless told. */
  readonly isEmergency?: (name: string) => boolean;
  /** For tests: a cost that takes no time, and clocks that stand still. */
  readonly cost?: HashCost;
  readonly argon2?: Argon2;
  readonly guess?: Guessability;
  readonly wall?: () => number;
  readonly ticks?: () => number;
}

export interface LayerOptions extends LayerSettings {
  readonly vault: Vault;
  readonly ledger: Ledger;
  /** Of the keyring, for tokens and codes; it stays its owner's. */
  readonly key: Secret;
}

/** What `status` tells of it. */
export interface LayerOverview {
  readonly initialised: { readonly at: number; readonly by: string } | undefined;
  readonly sessions: number;
  /** Of the wall clock; undefined without sessions. */
  readonly nextExpiry: number | undefined;
  readonly administrators: number;
  /** Names that log in from a SPIFFE ID that others use, too. */
  readonly weaklyBound: readonly string[];
}

const lookMs = 10_000;
const storeMs = 600_000;

/** The second layer, whole: administrators with passwords, behind the SVID of a superuser. */
export class AccessLayer implements Disposable {
  /** What the server asks at each request. */
  readonly port: Access;
  readonly initialisation: Initialisation;
  readonly login: Login;
  readonly sessions: Sessions;
  readonly administrators: Administrators;
  readonly books: BookSet;
  readonly #tokens: TokenBook;
  readonly #timer: NodeJS.Timeout;

  private constructor(options: LayerOptions, books: BookSet) {
    const { key, alerts, wall } = options;
    const { clock } = books;
    const now = (): number => clock.now();
    this.books = books;
    this.#tokens = new TokenBook({ key: key.clone(), now, idleMs: options.idleMs });
    const tokens = this.#tokens;
    const hashes = new HashQueue({
      ...(options.cost === undefined ? {} : { cost: options.cost }),
      ...(options.argon2 === undefined ? {} : { argon2: options.argon2 }),
    });
    const judge = new PasswordJudge(options.passwords, options.guess);
    const credentials = new Credentials({ hashes, judge, remembered: options.remembered });
    const check = new PasswordCheck({ books, hashes, alerts, rate: new RateLimit({ now }) });
    const atWall = wall === undefined ? {} : { wall };
    this.port = new Access({ books, tokens, alerts, isEmergency: options.isEmergency ?? (() => false) });
    this.initialisation = new Initialisation({
      books,
      credentials,
      tokens,
      alerts,
      code: new InitCode({ books, key, place: codeFile(options.initCodeFile) }),
      ...atWall,
    });
    this.login = new Login({ books, check, credentials, tokens });
    this.sessions = new Sessions({ books, tokens });
    this.administrators = new Administrators({
      books,
      credentials,
      tokens,
      alerts,
      checkId: (text) => checkId(text, options.roles),
      ...atWall,
    });
    this.#timer = setInterval(() => this.#look(), lookMs).unref();
  }

  /** Makes the init code where there is something to initialise. Throws SpikeError `store_integrity`, `store_failed` and `fs_unsafe`. */
  static async open(options: LayerOptions, signal?: AbortSignal): Promise<AccessLayer> {
    const { vault, ledger, key, alerts, lockout, wall, ticks } = options;
    const books = await BookSet.load(
      {
        vault,
        ledger,
        key,
        attemptRules: {
          ...defaultRules,
          mostFailures: lockout.failures,
          windowMs: lockout.ms,
          lockMs: lockout.ms,
        },
        openClock: (highWater) =>
          new AdminClock({
            highWater,
            onStep: (stepMs) => raiseStep(alerts, stepMs),
            ...(wall === undefined ? {} : { wall }),
            ...(ticks === undefined ? {} : { ticks }),
          }),
      },
      signal,
    );
    const layer = new AccessLayer(options, books);
    await layer.initialisation.open();
    return layer;
  }

  overview(): LayerOverview {
    const sessions = this.sessions.list(undefined);
    const all = this.books.administrators.values();
    const ids = all.map(({ spiffeId }) => spiffeId);
    const done = this.initialisation.done;
    return {
      initialised: done === undefined ? undefined : { at: done.at, by: done.by },
      sessions: sessions.length,
      nextExpiry: sessions.length === 0 ? undefined : Math.min(...sessions.map(({ expiresAt }) => expiresAt)),
      administrators: all.length,
      weaklyBound: all
        .filter(({ spiffeId }) => ids.indexOf(spiffeId) !== ids.lastIndexOf(spiffeId))
        .map(({ name }) => name)
        .toSorted(),
    };
  }

  /** When our identity is withdrawn, nobody can say any more whom the sessions belong to. */
  endAll(): void {
    this.#tokens.revokeAll();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#tokens[Symbol.dispose]();
  }

  /** Sees a jump of the wall clock though nobody asks for anything, and stores the time that one-time passwords end by. */
  #look(): void {
    const { clock } = this.books;
    if (clock.now() - clock.highWater < storeMs) return;
    const waits =
      this.books.attempts.size > 0 ||
      this.books.administrators.values().some(({ oneTimeUntil }) => oneTimeUntil !== undefined);
    if (waits) this.books.commit([]).catch(() => undefined);
  }
}

function raiseStep(alerts: AccessAlerts, stepMs: number): void {
  const direction = stepMs < 0 ? 'back' : 'forward';
  alerts.raise({
    kind: 'clock_step',
    subject: direction,
    message: `the wall clock jumped ${direction}; sessions and delays do not follow it`,
    detail: { stepMs },
  });
}

/** Throws SpikeError `data_invalid_input` unless somebody with this ID would come to the login at all. */
function checkId(text: string, roles: RoleBook): void {
  let id: SpiffeId;
  try {
    id = SpiffeId.parse(text);
  } catch (cause) {
    throw new SpikeError('data_invalid_input', 'this is no SPIFFE ID', { cause });
  }
  if (roles.has(id, 'superuser')) return;
  throw new SpikeError(
    'data_invalid_input',
    'an administrator needs a SPIFFE ID at or below /spike/pilot/role/superuser in a trust domain of Pilots',
  );
}
