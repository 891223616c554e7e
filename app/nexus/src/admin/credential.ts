import { refuse } from './password.ts';
import type { HashQueue } from './hash-queue.ts';
import type { AdministratorRecord } from './administrator-record.ts';
import type { PasswordJudge } from './password-judge.ts';
import { toSecret, type PasswordHash } from './password-hash.ts';

export interface CredentialsOptions {
  readonly hashes: HashQueue;
  readonly judge: PasswordJudge;
  /** So many passwords before a new one are refused. */
  readonly remembered: number;
}

/** Makes hashes of new passwords, when they are good enough. */
export class Credentials {
  readonly hashes: HashQueue;
  readonly #judge: PasswordJudge;
  readonly #remembered: number;

  constructor(options: CredentialsOptions) {
    this.hashes = options.hashes;
    this.#judge = options.judge;
    this.#remembered = options.remembered;
  }

  /** For somebody who has none yet. Throws SpikeError `password_weak`. */
  async first(password: string, user: string, signal: AbortSignal): Promise<PasswordHash> {
    using secret = toSecret(await this.#judge.check(password, user, signal));
    return await this.hashes.hash(secret, signal);
  }

  /** In place of the one that somebody has. Throws SpikeError `password_weak`, also for one of the last. */
  async next(
    password: string,
    record: AdministratorRecord,
    signal: AbortSignal,
  ): Promise<Pick<AdministratorRecord, 'password' | 'earlier' | 'oneTimeUntil'>> {
    using secret = toSecret(await this.#judge.check(password, record.name, signal));
    const earlier = this.remember(record);
    for (const hash of earlier)
      if (await this.hashes.verify(secret, hash, signal)) refuseUsed(earlier.length);
    return { password: await this.hashes.hash(secret, signal), earlier, oneTimeUntil: undefined };
  }

  /** What a next password is compared with, newest first. */
  remember({ password, earlier }: AdministratorRecord): readonly PasswordHash[] {
    return [password, ...earlier].slice(0, this.#remembered);
  }
}

function refuseUsed(count: number): never {
  return refuse(`is none of the last ${count}`);
}
