import { codeTable, SpikeError } from '@spike/error';
import { KeyedLock } from '../service/keyed-lock.ts';
import type { AdministratorRecord } from './administrator-record.ts';
import type { Attempted } from './attempt-book.ts';
import type { BookSet } from './book-set.ts';
import type { HashQueue } from './hash-queue.ts';
import { normalizePassword } from './password.ts';
import { newSalt, toSecret, type PasswordHash } from './password-hash.ts';
import type { AccessAlerts, Asked } from './port.ts';
import type { RateLimit } from './rate-limit.ts';

export interface PasswordCheckOptions {
  readonly books: BookSet;
  readonly hashes: HashQueue;
  readonly rate: RateLimit;
  readonly alerts: AccessAlerts;
}

/** A password that was right. */
export interface Verified {
  readonly record: AdministratorRecord;
  /** Whose failures are forgotten with the transaction that follows. */
  readonly attempted: Attempted;
}

/** From so many failures on somebody is told. */
const worthAnAlert = 3;

/** The one way to find out whether a password is right (admin.md B4). */
export class PasswordCheck {
  readonly #options: PasswordCheckOptions;
  readonly #lock = new KeyedLock();
  /** What is compared where nobody is: of today's cost, and of no password. */
  readonly #nobody: PasswordHash;

  constructor(options: PasswordCheckOptions) {
    this.#options = options;
    this.#nobody = { ...options.hashes.cost, salt: newSalt(), tag: new Uint8Array(32) };
  }

  /**
   * Runs `then` when the password is right. Every other outcome has by then done the same, one Argon2 and one
   * transaction of the same rows, so neither its code nor its time tells which it was. Throws SpikeError `login_refused`
   * for an unknown name, a wrong password, a locked, delayed or disabled account, a foreign SPIFFE ID and a one-time
   * password that is over; `limit_exceeded`, before any of it, for too many at once.
   */
  async run<Result>(
    user: string,
    password: string,
    asked: Asked,
    then: (verified: Verified) => Promise<Result>,
  ): Promise<Result> {
    const { books, rate, hashes } = this.#options;
    rate.take(asked.spiffeId);
    hashes.assertRoom();
    await books.settle();
    if (books.setting('initialised') === undefined)
      throw new SpikeError('state_not_initialized', 'there is no administrator yet: run spike init');
    // One after the other for each pair: many guesses at the same time are no more than as many in a row.
    return await this.#lock.run(
      `${user} ${asked.spiffeId}`,
      async () => await then(await this.#judge(user, password, asked)),
      asked.signal,
    );
  }

  async #judge(user: string, password: string, asked: Asked): Promise<Verified> {
    const { books, hashes } = this.#options;
    const { clock, attempts } = books;
    const record = books.administrator(user);
    const attempted = attempts.attempted(user, record?.spiffeId, asked.spiffeId, clock.now());
    const waits = attempts.waitsUntil(attempted) > clock.now();
    using secret = toSecret(normalizePassword(password) ?? '');
    const matches = await hashes.verify(secret, record?.password ?? this.#nobody, asked.signal);
    const good =
      matches &&
      !waits &&
      record !== undefined &&
      // What the password was compared with may have been changed meanwhile.
      books.administrator(user) === record &&
      record.state === 'enabled' &&
      record.spiffeId === asked.spiffeId &&
      (record.oneTimeUntil === undefined || clock.now() < record.oneTimeUntil);
    if (good) return { record, attempted };
    await this.#fail(attempted, !waits, record, asked);
    throw refused();
  }

  async #fail(
    attempted: Attempted,
    counts: boolean,
    record: AdministratorRecord | undefined,
    { spiffeId, remoteAddress }: Asked,
  ): Promise<void> {
    const { books, alerts } = this.#options;
    const { prepared, failures, lockedNow } = books.attempts.fail(attempted, books.clock.now(), counts);
    const isKnown = record !== undefined;
    // What somebody typed who is nobody may be a password in the wrong place: it is never repeated.
    const subject = record?.name ?? spiffeId;
    if (counts && failures >= worthAnAlert)
      alerts.raise({
        kind: 'login_failures',
        subject,
        message: isKnown
          ? 'the name of an administrator was tried several times with a wrong password'
          : 'names that nobody has were tried several times',
        detail: { failures, spiffeId, remoteAddress },
      });
    if (lockedNow && isKnown)
      alerts.raise({
        kind: 'account_locked',
        subject,
        message: 'an administrator cannot log in from one SPIFFE ID for a while, after too many failures',
        detail: { spiffeId, remoteAddress },
      });
    await books.commit([prepared]);
  }
}

export function refused(): SpikeError {
  return new SpikeError('login_refused', codeTable.login_refused.says);
}
