import { hour, minute } from './stage.ts';

/** What the second layer should answer, kept the slow and obvious way: a code, or `ok`. */
export type Answer =
  | 'ok'
  | 'state_not_initialized'
  | 'state_already_initialized'
  | 'login_refused'
  | 'password_change_required'
  | 'session_required'
  | 'limit_exceeded'
  | 'entity_version_conflict'
  | 'api_not_found';

export interface OraclePerson {
  password: string;
  readonly id: string;
  enabled: boolean;
  /** Of a password for one time. */
  until: number | undefined;
}

export interface OracleSession {
  readonly user: string;
  readonly id: string;
  readonly begun: number;
  used: number;
  ends: number;
  usesLeft: number;
  over: boolean;
}

/** Longer than usual, so that a session can be kept to its longest by few commands. */
export const idleMs = 5 * hour;

/** Sessions of one administrator; with one more his oldest ends. */
const mostOfOne = 20;

interface Count {
  failures: number[];
  until: number;
}

export class Oracle {
  isDone = false;
  now: number;
  /** The wall clock. */
  wall: number;
  /** The time that the store has. */
  stored = 0;
  readonly people = new Map<string, OraclePerson>();
  sessions: OracleSession[] = [];
  readonly #counts = new Map<string, Count>();
  #buckets = new Map<string, { left: number; at: number }>();

  constructor(wall: number) {
    this.now = wall;
    this.wall = wall;
  }

  pass(ms: number): void {
    this.now += ms;
    this.wall += ms;
  }

  restart(): void {
    this.sessions = [];
    this.#buckets = new Map();
    this.now = Math.max(this.wall, this.stored);
    if (!this.isDone) this.stored = this.now;
  }

  init(isRightCode: boolean, password: string, id: string): Answer {
    if (this.isDone) return 'state_already_initialized';
    this.stored = this.now;
    if (!isRightCode) return 'login_refused';
    this.isDone = true;
    this.people.set('admin', { password, id, enabled: true, until: undefined });
    this.#begin('admin', id, hour, Infinity);
    return 'ok';
  }

  login(
    user: string,
    password: string,
    id: string,
    options: { ttlMs: number; uses: number; newPassword: string | undefined },
  ): Answer {
    const verdict = this.#check(user, password, id);
    const person = this.people.get(user);
    if (verdict !== 'ok' || person === undefined) return verdict;
    if (person.until !== undefined) {
      if (options.newPassword === undefined) return 'password_change_required';
      person.password = options.newPassword;
      person.until = undefined;
      this.endAllOf(user);
    }
    this.#forgive(user, id);
    this.#begin(user, id, options.ttlMs, options.uses);
    return 'ok';
  }

  change(session: OracleSession, password: string, newPassword: string): Answer {
    const verdict = this.#check(session.user, password, session.id);
    const person = this.people.get(session.user);
    if (verdict !== 'ok' || person === undefined) return verdict;
    person.password = newPassword;
    this.#forgive(session.user, session.id);
    for (const other of this.sessions)
      if (other.user === session.user && other !== session) other.over = true;
    return 'ok';
  }

  present(session: OracleSession, id: string): Answer {
    if (!this.isDone) return 'state_not_initialized';
    if (!this.lives(session)) return 'session_required';
    if (session.id !== id) {
      session.over = true;
      return 'session_required';
    }
    if (session.usesLeft === 0) return 'session_required';
    session.usesLeft -= 1;
    session.used = this.now;
    return 'ok';
  }

  renew(session: OracleSession, ttlMs: number): Answer {
    this.stored = this.now;
    if (!this.lives(session)) return 'session_required';
    session.ends = Math.min(this.now + ttlMs, session.begun + 12 * hour);
    return 'ok';
  }

  revoke(session: OracleSession): Answer {
    if (!this.lives(session)) return 'api_not_found';
    session.over = true;
    this.stored = this.now;
    return 'ok';
  }

  issue(name: string, password: string, id: string): Answer {
    const known = this.people.get(name);
    this.stored = this.now;
    const until = this.now + 24 * hour;
    this.people.set(name, { password, id: known?.id ?? id, enabled: known?.enabled ?? true, until });
    this.#forgive(name, known?.id ?? id);
    this.endAllOf(name);
    return 'ok';
  }

  setEnabled(name: string, isEnabled: boolean, isLast = name === 'admin'): Answer {
    const person = this.people.get(name);
    if (person === undefined) return 'api_not_found';
    if (person.enabled === isEnabled) return 'ok';
    if (isLast && !isEnabled) return 'entity_version_conflict';
    person.enabled = isEnabled;
    this.endAllOf(name);
    this.stored = this.now;
    return 'ok';
  }

  endAllOf(user: string): void {
    for (const session of this.sessions) if (session.user === user) session.over = true;
  }

  lives({ over, ends, used }: OracleSession): boolean {
    return !over && this.now < ends && this.now < used + idleMs;
  }

  #check(user: string, password: string, id: string): Answer {
    if (!this.#takeRate(id)) return 'limit_exceeded';
    if (!this.isDone) return 'state_not_initialized';
    const person = this.people.get(user);
    const pair = this.#count(person === undefined ? '?' : `${user} ${id}`);
    const alone = this.#count(person === undefined ? '? alone' : user);
    // Who is bound to this identity waits for what was done from there, and for nothing that others did.
    const until = person?.id === id ? pair.until : Math.max(pair.until, alone.until);
    const waits = until > this.now;
    const isRight =
      person !== undefined &&
      person.password === password &&
      person.enabled &&
      person.id === id &&
      (person.until === undefined || this.now < person.until);
    if (isRight && !waits) return 'ok';
    this.stored = this.now;
    if (!waits) {
      const isOften = this.#fail(pair, 15 * minute);
      if (isOften) Object.assign(pair, { failures: [], until: this.now + 15 * minute });
      this.#fail(alone, 30_000);
    }
    return 'login_refused';
  }

  /** Whether it is the fifth within 15 minutes. */
  #fail(count: Count, longestMs: number): boolean {
    count.failures = [...count.failures.filter((at) => at > this.now - 15 * minute), this.now];
    const often = count.failures.length;
    count.until = this.now + (often < 2 ? 0 : Math.min(1_000 * 2 ** (often - 2), longestMs));
    return often >= 5;
  }

  #forgive(user: string, id: string): void {
    this.stored = this.now;
    this.#counts.delete(`${user} ${id}`);
    this.#counts.delete(user);
  }

  #count(name: string): Count {
    const found = this.#counts.get(name) ?? { failures: [], until: 0 };
    this.#counts.set(name, found);
    return found;
  }

  #begin(user: string, id: string, ttlMs: number, usesLeft: number): void {
    const { now } = this;
    const own = this.sessions.filter((session) => session.user === user && this.lives(session));
    if (own.length >= mostOfOne && own[0] !== undefined) own[0].over = true;
    this.sessions.push({ user, id, begun: now, used: now, ends: now + ttlMs, usesLeft, over: false });
  }

  #takeRate(id: string): boolean {
    const bucket = this.#buckets.get(id) ?? { left: 30, at: this.now };
    const left = Math.min(30, bucket.left + (this.now - bucket.at) / 1_000);
    this.#buckets.set(id, { left: left < 1 ? left : left - 1, at: this.now });
    return left >= 1;
  }
}
