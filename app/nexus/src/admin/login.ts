import { SpikeError } from '@spike/error';
import type { AdministratorRecord } from './administrator-record.ts';
import type { BookSet } from './book-set.ts';
import type { Credentials } from './credential.ts';
import { normalizePassword } from './password.ts';
import { refused, type PasswordCheck, type Verified } from './password-check.ts';
import { isAged, toSecret } from './password-hash.ts';
import type { Asked, Entering } from './port.ts';
import type { Begun, TokenBook, TokenScope } from './token-book.ts';
import { makeToken } from './token-text.ts';

export interface LoginRequest {
  /** Parsed. */
  readonly user: string;
  readonly password: string;
  readonly ttlMs: number;
  readonly uses: number | undefined;
  readonly scope: TokenScope;
  /** In place of a one-time password; looked at in no other case. */
  readonly newPassword: string | undefined;
}

export interface PasswordChange {
  readonly user: string;
  /** Of the session that goes on. */
  readonly accessor: string;
  readonly password: string;
  readonly newPassword: string;
}

export interface LoginOptions {
  readonly books: BookSet;
  readonly check: PasswordCheck;
  readonly credentials: Credentials;
  readonly tokens: TokenBook;
}

/** Exchanges a password for a token (admin.md C1), and for another password (B3). */
export class Login {
  readonly #options: LoginOptions;

  constructor(options: LoginOptions) {
    this.#options = options;
  }

  /** Throws SpikeError as `PasswordCheck.run` does, `password_change_required` where a one-time password was right and no new one came with it, and `password_weak`. */
  async run(request: LoginRequest, asked: Entering): Promise<Begun> {
    const { check, tokens } = this.#options;
    const { user, ttlMs, uses, scope } = request;
    const { spiffeId, remoteAddress, draft } = asked;
    return await check.run(user, request.password, asked, async (verified) => {
      const next = await this.#renew(verified.record, request, asked);
      const token = makeToken();
      const record = draft?.({ administrator: user, accessor: token.accessor });
      await this.#commit(verified, next, record === undefined ? asked : { ...asked, record });
      tokens.revoke((session) => session.administrator === user && session.epoch !== next.epoch);
      return tokens.begin({
        token,
        administrator: user,
        epoch: next.epoch,
        spiffeId,
        remoteAddress,
        scope,
        ttlMs,
        uses,
      });
    });
  }

  /** Answers how many other sessions ended by it. Throws like `run`. */
  async changePassword(
    { user, accessor, password, newPassword }: PasswordChange,
    asked: Asked,
  ): Promise<number> {
    const { check, tokens, credentials } = this.#options;
    return await check.run(user, password, asked, async (verified) => {
      const { record } = verified;
      const changed = await credentials.next(newPassword, record, asked.signal);
      const next = { ...record, ...changed, epoch: record.epoch + 1 };
      await this.#commit(verified, next, asked);
      tokens.keep(accessor, next.epoch);
      return tokens.revoke((session) => session.administrator === user && session.epoch !== next.epoch);
    });
  }

  /** The record as it is after this login: with a new password, or with a hash of today's cost. */
  async #renew(
    record: AdministratorRecord,
    { password, newPassword }: LoginRequest,
    { signal }: Pick<Asked, 'signal'>,
  ): Promise<AdministratorRecord> {
    const { credentials } = this.#options;
    if (record.oneTimeUntil !== undefined) {
      if (newPassword === undefined) throw changeFirst();
      return { ...record, ...(await credentials.next(newPassword, record, signal)), epoch: record.epoch + 1 };
    }
    if (!isAged(record.password, credentials.hashes.cost)) return record;
    using secret = toSecret(normalizePassword(password) ?? '');
    return { ...record, password: await credentials.hashes.hash(secret, signal) };
  }

  async #commit({ record, attempted }: Verified, next: AdministratorRecord, asked: Asked): Promise<void> {
    const { books } = this.#options;
    const isSame = (): boolean => books.administrator(record.name) === record;
    const check = (): void => {
      asked.check?.();
      if (!isSame()) throw refused();
    };
    const changed = next === record ? [] : [books.prepareAdministrator(next)];
    await books.commit([books.attempts.clear(attempted), ...changed], { ...asked, check });
    // A change that was in the same transaction has ended this session before it began.
    if (next === record && !isSame()) throw refused();
  }
}

function changeFirst(): SpikeError {
  return new SpikeError(
    'password_change_required',
    'this one-time password has to be changed: log in with it in a terminal, or give a new one with --new-password-file',
  );
}
