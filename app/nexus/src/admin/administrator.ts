import type { AdministratorRole, Tenant } from '@spike/contract';
import { codeTable, SpikeError } from '@spike/error';
import { parseTenant } from '../policy/tenant.ts';
import { KeyedLock } from '../service/keyed-lock.ts';
import type { AdministratorRecord } from './administrator-record.ts';
import {
  checkLast,
  checkPosition,
  checkRoom,
  checkTenantRoom,
  mayGive,
  type Giver,
  type Position,
} from './administrator-rule.ts';
import type { BookSet } from './book-set.ts';
import type { Credentials } from './credential.ts';
import { makeOneTimePassword, oneTimeMs } from './one-time-password.ts';
import { toSecret } from './password-hash.ts';
import type { AccessAlerts, Asked } from './port.ts';
import type { Prepared } from './record-book.ts';
import type { TokenBook } from './token-book.ts';

/** Who manages administrators, as the guard found out. */
export interface Manager extends Giver {
  /** Empty where the SVID alone is enough. */
  readonly name: string;
}

export interface NewAdministrator extends Position {
  readonly name: string;
  /** The ID that he logs in from; that of the manager unless told. */
  readonly spiffeId: string;
}

/** What is shown of an administrator. Times are milliseconds since 1970. */
export interface AdministratorView {
  readonly name: string;
  readonly role: AdministratorRole;
  readonly tenant: string | undefined;
  readonly spiffeId: string;
  /** Others log in from the same SPIFFE ID, so the ID says little about who it is. */
  readonly sharesId: boolean;
  readonly state: 'enabled' | 'disabled';
  /** He still has a one-time password, until then. */
  readonly oneTimeUntil: number | undefined;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly issuedAt: number;
  readonly issuedBy: string;
}

/** Handed out once. */
export interface Issued {
  readonly administrator: AdministratorView;
  readonly oneTimePassword: string;
}

export interface AdministratorsOptions {
  readonly books: BookSet;
  readonly credentials: Credentials;
  readonly tokens: TokenBook;
  readonly alerts: AccessAlerts;
  /** Whether somebody with this SPIFFE ID could log in at all: throws SpikeError `data_invalid_input` where not. */
  readonly checkId: (spiffeId: string) => void;
  readonly wall?: () => number;
}

/** Who issues a password that the holders of recovery shares approved: no name of an administrator has a blank. */
const byShares: Manager = { name: 'recovery shares', role: 'super_admin', tenant: undefined };

/** Administrators and what they are (admin.md D). A manager sees and changes those alone whose position he may give. */
export class Administrators {
  readonly #options: AdministratorsOptions;
  /** One change at a time, so that two of them together do not take the last super_admin away. */
  readonly #lock = new KeyedLock();

  constructor(options: AdministratorsOptions) {
    this.#options = options;
  }

  /** By name. */
  async list(tenant: Tenant): Promise<readonly AdministratorView[]> {
    const { books } = this.#options;
    await books.settle();
    const all = books.administrators.values();
    return all
      .filter((record) => isSeen(record, tenant))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map((record) => this.#view(record));
  }

  /** Throws SpikeError `api_not_found`. */
  async get(name: string, tenant: Tenant): Promise<AdministratorView> {
    const { books } = this.#options;
    await books.settle();
    const record = books.administrator(name);
    if (record === undefined || !isSeen(record, tenant)) throw noSuch();
    return this.#view(record);
  }

  /** Throws SpikeError `access_unauthorized`, `data_invalid_input`, and `entity_version_conflict` for a name that is taken. */
  async create(manager: Manager, wanted: NewAdministrator, asked: Asked): Promise<Issued> {
    const position = parsePosition(wanted);
    if (!mayGive(manager, position)) throw mayNot();
    this.#options.checkId(wanted.spiffeId);
    return await this.#change(asked, async () => {
      const { books } = this.#options;
      if (books.administrator(wanted.name) !== undefined)
        throw new SpikeError(
          'entity_version_conflict',
          'there is an administrator of this name: choose another one',
        );
      checkRoom(books.administrators.values(), position);
      const { name, spiffeId } = wanted;
      return await this.#issue(
        {
          ...position,
          name,
          spiffeId,
          state: 'enabled',
          earlier: [],
          epoch: 1,
          createdAt: books.clock.now(),
          createdWall: this.#wall(),
          createdBy: manager.name,
        },
        manager,
        asked,
        { kind: 'admin_created', message: 'an administrator was created' },
      );
    });
  }

  /** Throws like `create`, and SpikeError `api_not_found`. */
  async setEnabled(
    manager: Manager,
    name: string,
    isEnabled: boolean,
    asked: Asked,
  ): Promise<AdministratorView> {
    return await this.#change(asked, async () => {
      const record = this.#find(manager, name);
      const state = isEnabled ? 'enabled' : 'disabled';
      if (record.state === state) return this.#view(record);
      if (!isEnabled) this.#checkLast(record);
      return await this.#store({ ...record, state, epoch: record.epoch + 1 }, asked);
    });
  }

  /** He has to log in again. Throws like `setEnabled`. */
  async setRole(manager: Manager, name: string, wanted: Position, asked: Asked): Promise<AdministratorView> {
    const position = parsePosition(wanted);
    return await this.#change(asked, async () => {
      const record = this.#find(manager, name);
      if (!mayGive(manager, position)) throw mayNot();
      if (position.role !== 'super_admin') this.#checkLast(record);
      if (position.tenant !== record.tenant)
        checkTenantRoom(this.#options.books.administrators.values(), position);
      return await this.#store({ ...record, ...position, epoch: record.epoch + 1 }, asked);
    });
  }

  /**
   * A one-time password in place of his own, for somebody else; his sessions end, and his lockout is over: what was
   * guessed at is gone. Throws like `setEnabled`.
   */
  async resetPassword(manager: Manager, name: string, asked: Asked): Promise<Issued> {
    // Else whoever has a token had the account, too: only a change asks for the password that one has.
    if (manager.name === name)
      throw new SpikeError(
        'entity_version_conflict',
        'this is your own password: change it with spike password change, or ask another administrator',
      );
    return await this.#change(asked, async () => {
      const record = this.#find(manager, name);
      // A one-time password that nobody fetches would lock everybody out.
      this.#checkLast(record);
      return await this.#issueAnew(record, manager, asked, 'an administrator got a one-time password');
    });
  }

  /**
   * Whether `recoverPassword` could do something for this one. Throws SpikeError `api_not_found`, and
   * `entity_version_conflict` for one who is disabled: shares bring nobody back whom a super_admin took out.
   */
  async checkRecoverable(name: string): Promise<void> {
    await this.#options.books.settle();
    this.#findRecoverable(name);
  }

  /**
   * A one-time password for an administrator, the last super_admin too, whose own is lost: for the holders of recovery
   * shares. His sessions end, his lockout is over, and he stays what he is. Throws like `checkRecoverable`.
   */
  async recoverPassword(name: string, asked: Asked): Promise<Issued> {
    return await this.#change(asked, async () => {
      const record = this.#findRecoverable(name);
      const message = 'an administrator got a one-time password by recovery shares';
      return await this.#issueAnew(record, byShares, asked, message);
    });
  }

  /** In place of the password that he has: failures to guess that one count no more. */
  async #issueAnew(
    record: AdministratorRecord,
    manager: Manager,
    asked: Asked,
    message: string,
  ): Promise<Issued> {
    const { books, credentials } = this.#options;
    const { name, spiffeId, epoch } = record;
    const tried = books.attempts.attempted(name, spiffeId, spiffeId, books.clock.now());
    return await this.#issue(
      { ...record, earlier: credentials.remember(record), epoch: epoch + 1 },
      manager,
      asked,
      { kind: 'password_reset', message },
      // As it stands when the hash is made: failures of the meantime were guesses at the old one, too.
      () => [books.attempts.clear(tried)],
    );
  }

  #findRecoverable(name: string): AdministratorRecord {
    const record = this.#options.books.administrator(name);
    if (record === undefined) throw noSuch();
    if (record.state === 'enabled') return record;
    throw new SpikeError(
      'entity_version_conflict',
      'this administrator is disabled: have a super_admin enable the name first',
    );
  }

  async #issue(
    record: Omit<AdministratorRecord, 'password' | 'oneTimeUntil' | 'issuedBy' | 'issuedAt' | 'issuedWall'>,
    manager: Manager,
    asked: Asked,
    alert: { readonly kind: 'admin_created' | 'password_reset'; readonly message: string },
    more: () => readonly Prepared[] = () => [],
  ): Promise<Issued> {
    const { books, credentials, alerts } = this.#options;
    const oneTimePassword = makeOneTimePassword();
    using secret = toSecret(oneTimePassword);
    const password = await credentials.hashes.hash(secret, asked.signal);
    const issuedAt = books.clock.now();
    const issued = {
      password,
      oneTimeUntil: issuedAt + oneTimeMs,
      issuedBy: manager.name,
      issuedAt,
      issuedWall: this.#wall(),
    };
    const administrator = await this.#store({ ...record, ...issued }, asked, more());
    alerts.raise({
      kind: alert.kind,
      subject: record.name,
      message: alert.message,
      detail: { role: record.role, by: manager.name },
    });
    return { administrator, oneTimePassword };
  }

  async #store(
    record: AdministratorRecord,
    asked: Asked,
    more: readonly Prepared[] = [],
  ): Promise<AdministratorView> {
    const { books, tokens } = this.#options;
    await books.commit([books.prepareAdministrator(record), ...more], asked);
    tokens.revoke((session) => session.administrator === record.name && session.epoch !== record.epoch);
    return this.#view(record);
  }

  async #change<Result>(asked: Asked, change: () => Promise<Result>): Promise<Result> {
    return await this.#lock.run(
      'administrators',
      async () => {
        await this.#options.books.settle();
        return await change();
      },
      asked.signal,
    );
  }

  /** Somebody of another tenant is nobody here. */
  #find(manager: Manager, name: string): AdministratorRecord {
    const record = this.#options.books.administrator(name);
    if (record === undefined || !mayGive(manager, record)) throw noSuch();
    return record;
  }

  #checkLast(record: AdministratorRecord): void {
    checkLast(this.#options.books.administrators.values(), record);
  }

  #view({
    password: _password,
    earlier: _earlier,
    epoch: _epoch,
    createdWall,
    issuedWall,
    ...shown
  }: AdministratorRecord): AdministratorView {
    const { books } = this.#options;
    const others = books.administrators.values().filter(({ name }) => name !== shown.name);
    const { oneTimeUntil } = shown;
    return {
      ...shown,
      sharesId: others.some(({ spiffeId }) => spiffeId === shown.spiffeId),
      createdAt: createdWall,
      issuedAt: issuedWall,
      oneTimeUntil: oneTimeUntil === undefined ? undefined : books.clock.toWall(oneTimeUntil),
    };
  }

  #wall(): number {
    return (this.#options.wall ?? Date.now)();
  }
}

function isSeen(record: AdministratorRecord, tenant: Tenant): boolean {
  return tenant === undefined || record.tenant === tenant.join('/');
}

/** With its tenant as a path in its one spelling. */
function parsePosition({ role, tenant }: Position): Position {
  const position = { role, tenant: tenant === undefined ? undefined : parseTenant(tenant) };
  checkPosition(position);
  return position;
}

function noSuch(): SpikeError {
  return new SpikeError('api_not_found', 'there is no administrator of this name');
}

function mayNot(): SpikeError {
  return new SpikeError('access_unauthorized', codeTable.access_unauthorized.says);
}
