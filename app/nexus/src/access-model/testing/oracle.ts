import type { AdministratorRole } from '@spike/contract';
import { Oracle as SessionOracle, type Answer, type OracleSession } from '../../admin/testing/oracle.ts';
import { hour, minute } from '../../admin/testing/stage.ts';
import type { TokenScope } from '../../admin/token-book.ts';
import { Denied } from './denial-oracle.ts';
import { isLive, stateOf, type Glass } from './glass-oracle.ts';
import { Approvals, type Approval, type Sent } from './approval-oracle.ts';

export type Code =
  Answer | 'access_unauthorized' | 'approval_required' | 'shamir_reconstruction_failed' | 'api_bad_request';

/** Who made an account, and who gave it a password last. */
interface Origin {
  readonly madeBy: string;
  readonly madeAt: number;
  issuedBy: string;
  issuedAt: number;
}

/**
 * `self`: what everybody may; `change`: that, and not with a token that reads; `read` and `serve`: secrets and policies;
 * `govern`: everything that belongs to a super_admin.
 */
export type Deed = 'self' | 'change' | 'ask' | 'read' | 'serve' | 'govern';

const recentMs = 7 * 24 * hour;
const passMs = 10 * minute;
const ownPath = 'spiffe://spike.ist/spike';

/**
 * What the whole of administrative access should answer, kept the slow and obvious way. Who is logged in is said by the
 * oracle of sessions; this one adds who may do what, and what there is for emergencies. Tenants and auditors are left to
 * test/access.long.test.ts, failing disks and requests at the same time to the tests of each part.
 */
export class Oracle {
  access: SessionOracle;
  approvals = new Approvals();
  glasses: Glass[] = [];
  readonly denied = new Denied();
  secret: string | undefined;
  hasPolicy = false;
  readonly roles = new Map<string, AdministratorRole>();
  readonly #origins = new Map<string, Origin>();
  /** Sessions that may read alone. */
  readonly #reading = new Set<OracleSession>();
  /** Who may take the shares out. */
  #passes = new Map<string, { readonly by: string; readonly until: number }>();

  constructor(wall: number) {
    this.access = new SessionOracle(wall);
    this.access.stored = wall;
  }

  get now(): number {
    return this.access.now;
  }

  pass(ms: number): void {
    this.access.pass(ms);
  }

  restart(): void {
    this.access.restart();
    this.approvals = new Approvals();
    this.#passes = new Map();
  }

  init(isRightCode: boolean, password: string, id: string): Code {
    const code = this.access.init(isRightCode, password, id);
    if (code !== 'ok') return code;
    this.roles.set('admin', 'super_admin');
    this.#origins.set('admin', { madeBy: 'admin', madeAt: this.now, issuedBy: 'admin', issuedAt: this.now });
    return code;
  }

  login(
    user: string,
    password: string,
    id: string,
    { scope, ...wish }: Parameters<SessionOracle['login']>[3] & { readonly scope: TokenScope },
  ): Code {
    const code = this.access.login(user, password, id, wish);
    const begun = this.access.sessions.at(-1);
    if (code === 'ok' && scope === 'read-only' && begun !== undefined) this.#reading.add(begun);
    return code;
  }

  /** A request with the token of this session, or with one of nobody. */
  admit(session: OracleSession | undefined, deed: Deed, from = session?.id ?? ''): Code {
    if (!this.access.isDone) return 'state_not_initialized';
    if (session === undefined) return 'session_required';
    const code = this.access.present(session, from);
    if (code !== 'ok' || deed === 'self') return code;
    if (deed !== 'read' && this.#reading.has(session)) return 'access_unauthorized';
    if (deed === 'change') return code;
    const role = this.roles.get(session.user);
    const isServed = (deed === 'read' || deed === 'serve') && this.isOpen(session.user);
    const may = deed === 'ask' ? role === 'emergency_admin' : role === 'super_admin' || isServed;
    return may ? 'ok' : 'access_unauthorized';
  }

  create(session: OracleSession | undefined, name: string, role: AdministratorRole, id: string): Code {
    return this.#govern(session, (by) => {
      if (this.access.people.has(name)) return 'entity_version_conflict';
      this.roles.set(name, role);
      this.#origins.set(name, { madeBy: by, madeAt: this.now, issuedBy: by, issuedAt: this.now });
      return this.access.issue(name, '', id);
    });
  }

  resetPassword(session: OracleSession | undefined, name: string): Code {
    return this.#govern(session, (by) => {
      if (by === name) return 'entity_version_conflict';
      if (!this.access.people.has(name)) return 'api_not_found';
      return this.#isLast(name) ? 'entity_version_conflict' : this.#issue(name, by);
    });
  }

  setEnabled(session: OracleSession | undefined, name: string, isEnabled: boolean): Code {
    return this.#govern(session, () => this.access.setEnabled(name, isEnabled, this.#isLast(name)));
  }

  setRole(session: OracleSession | undefined, name: string, role: AdministratorRole): Code {
    return this.#govern(session, () => {
      if (!this.access.people.has(name)) return 'api_not_found';
      if (role !== 'super_admin' && this.#isLast(name)) return 'entity_version_conflict';
      this.roles.set(name, role);
      this.access.endAllOf(name);
      this.#store();
      return 'ok';
    });
  }

  /** Sessions that this ends; `api_not_found` for none. */
  revoke(session: OracleSession | undefined, isMeant: (one: OracleSession) => boolean, isAll: boolean): Code {
    return this.#govern(session, () => {
      const meant = this.live().filter(isMeant);
      if (meant.length === 0 && !isAll) return 'api_not_found';
      for (const one of meant) one.over = true;
      this.#store();
      return 'ok';
    });
  }

  /** Oldest first. */
  live(): OracleSession[] {
    return this.access.sessions.filter((one) => this.access.lives(one));
  }

  openGlass(session: OracleSession | undefined, ttlMs: number): Code {
    const code = this.admit(session, 'ask');
    if (code !== 'ok' || session === undefined) return code;
    if (this.#liveGlassOf(session.user) !== undefined) return 'entity_version_conflict';
    const { user: of } = session;
    this.glasses.push({ of, asked: this.now, ttlMs, approved: undefined, ended: undefined });
    this.#store();
    return 'ok';
  }

  /** Another one approves: nobody whom the opener made, or gave a password, within a week. */
  approveGlass(session: OracleSession | undefined, glass: Glass | undefined): Code {
    return this.#govern(session, (by) => {
      if (glass === undefined || !this.glasses.includes(glass)) return 'api_not_found';
      const { madeBy, madeAt, issuedBy, issuedAt } = this.#origins.get(by) ?? fail();
      const isHis =
        by === glass.of ||
        (madeBy === glass.of && this.now - madeAt < recentMs) ||
        (issuedBy === glass.of && this.now - issuedAt < recentMs);
      if (stateOf(glass, this.now) !== 'waiting' || !this.#isEmergency(glass.of) || isHis)
        return 'entity_version_conflict';
      glass.approved = this.now;
      this.#store();
      return 'ok';
    });
  }

  cancelGlass(session: OracleSession | undefined, glass: Glass | undefined): Code {
    return this.#govern(session, () => {
      if (glass === undefined || !this.glasses.includes(glass)) return 'api_not_found';
      if (!isLive(glass, this.now)) return 'entity_version_conflict';
      glass.ended = 'cancelled';
      this.#store();
      return 'ok';
    });
  }

  closeGlass(session: OracleSession | undefined): Code {
    const code = this.admit(session, 'ask');
    if (code !== 'ok' || session === undefined) return code;
    const own = this.#liveGlassOf(session.user);
    if (own === undefined) return 'api_not_found';
    own.ended = 'closed';
    this.#store();
    return 'ok';
  }

  isOpen(name: string): boolean {
    const isHis = (glass: Glass): boolean => glass.of === name && stateOf(glass, this.now) === 'open';
    return this.glasses.some(isHis) && this.#isEmergency(name);
  }

  /** Of a password that is lost, by the holders of shares. */
  recoverPassword(name: string, by: string): Code {
    if (!this.access.isDone) return 'state_not_initialized';
    const person = this.access.people.get(name);
    if (person === undefined) return 'api_not_found';
    if (!person.enabled) return 'entity_version_conflict';
    return this.approvals.use(name, by, this.now)
      ? this.#issue(name, 'recovery shares')
      : 'approval_required';
  }

  answer(approval: Approval | undefined, sent: Sent): Code {
    return this.approvals.answer(approval, sent, this.now);
  }

  openRecovery(session: OracleSession | undefined, id: string): Code {
    return this.#govern(session, (by) => {
      this.#passes.set(id, { by, until: this.now + passMs });
      return 'ok';
    });
  }

  /** Who may take the shares out now, and who let them. */
  passes(): readonly (readonly [id: string, by: string])[] {
    return [...this.#passes].filter(([, { until }]) => this.now < until).map(([id, { by }]) => [id, by]);
  }

  /** The shares themselves are taken out; before there is an administrator the SVID is enough. */
  recover(id: string): Code {
    if (!this.access.isDone) return 'ok';
    const pass = this.#passes.get(id);
    this.#passes.delete(id);
    const isGood = pass !== undefined && this.now < pass.until && this.roles.get(pass.by) === 'super_admin';
    return isGood && this.access.people.get(pass.by)?.enabled === true ? 'ok' : 'approval_required';
  }

  deny(session: OracleSession | undefined, subject: string, ms: number | undefined): Code {
    return this.#govern(session, () => {
      if (subject.startsWith(ownPath)) return 'api_bad_request';
      this.denied.put(subject, ms === undefined ? undefined : this.now + ms);
      this.#store();
      return 'ok';
    });
  }

  lift(session: OracleSession | undefined, subject: string): Code {
    return this.#govern(session, () => {
      if (!this.denied.lift(subject, this.now)) return 'api_not_found';
      this.#store();
      return 'ok';
    });
  }

  /** A workload reads the secret. */
  read(id: string): Code {
    if (this.denied.covers(id, this.now) || !this.hasPolicy) return 'access_unauthorized';
    return this.secret === undefined ? 'api_not_found' : 'ok';
  }

  #govern(session: OracleSession | undefined, deed: (by: string) => Code): Code {
    const code = this.admit(session, 'govern');
    return code !== 'ok' || session === undefined ? code : deed(session.user);
  }

  #issue(name: string, by: string): Code {
    Object.assign(this.#origins.get(name) ?? fail(), { issuedBy: by, issuedAt: this.now });
    return this.access.issue(name, '', '');
  }

  /** The last who can do everything. */
  #isLast(name: string): boolean {
    const isReliable = (one: string): boolean => {
      const person = this.access.people.get(one);
      return this.roles.get(one) === 'super_admin' && person?.enabled === true && person.until === undefined;
    };
    return isReliable(name) && [...this.roles.keys()].filter(isReliable).length === 1;
  }

  #isEmergency(name: string): boolean {
    return this.roles.get(name) === 'emergency_admin' && this.access.people.get(name)?.enabled === true;
  }

  #liveGlassOf(name: string): Glass | undefined {
    return this.glasses.find((glass) => glass.of === name && isLive(glass, this.now));
  }

  /** Every change of administrators, sessions, break-glasses and denials stores the time, which no restart goes behind. */
  #store(): void {
    this.access.stored = this.now;
  }
}

function fail(): never {
  throw new Error('the oracle forgot somebody');
}
