import { timingSafeEqual } from 'node:crypto';
import { authenticate, type Secret } from '@spike/crypto';
import { accessorOf, type NewToken } from './token-text.ts';

export type TokenScope = 'all' | 'read-only';

export const tokenLimits = {
  defaultTtlMs: 3_600_000,
  /** From the login on: renewing ends here. */
  longestMs: 12 * 3_600_000,
  shortestMs: 1_000,
  mostUses: 1_000_000,
} as const;

/** What is shown of a session; never the token. Times are of the clock of the book. */
export interface SessionFacts {
  readonly accessor: string;
  readonly administrator: string;
  /** Of the administrator at the login: one whose epoch has changed since has lost his sessions. */
  readonly epoch: number;
  readonly spiffeId: string;
  readonly remoteAddress: string;
  readonly scope: TokenScope;
  readonly createdAt: number;
  readonly lastUsedAt: number;
  readonly expiresAt: number;
  /** Requests that it was admitted for. */
  readonly uses: number;
  /** Undefined for no limit. */
  readonly usesLeft: number | undefined;
}

export interface SessionDraft {
  /** Drawn before, since what is committed before the session begins names its accessor. */
  readonly token: NewToken;
  readonly administrator: string;
  readonly epoch: number;
  readonly spiffeId: string;
  readonly remoteAddress: string;
  readonly scope: TokenScope;
  readonly ttlMs: number;
  readonly uses: number | undefined;
}

/** A session that has begun. Nobody is told the token again. */
export interface Begun {
  readonly token: string;
  readonly session: SessionFacts;
}

export interface TokenBookOptions {
  /** Taken over and wiped with the book. */
  readonly key: Secret;
  /** Milliseconds, never going back. */
  readonly now: () => number;
  readonly idleMs?: number;
  readonly mostSessions?: number;
  readonly mostOfOne?: number;
}

type Session = { -readonly [Name in keyof SessionFacts]: SessionFacts[Name] } & { readonly mac: Uint8Array };

/** Why a token is not taken. `misused`: it came from another identity, and is revoked by that. */
export type Presented =
  | { readonly kind: 'session'; readonly session: SessionFacts }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'misused'; readonly session: SessionFacts };

/**
 * The sessions of administrators (admin.md C): in memory alone, so a restart ends them all. Of a token only its HMAC is
 * kept, so what is stored cannot be replayed; it is found by its accessor and compared in constant time.
 */
export class TokenBook implements Disposable {
  readonly #key: Secret;
  readonly #now: () => number;
  readonly #idleMs: number;
  readonly #mostSessions: number;
  readonly #mostOfOne: number;
  /** In the order of their beginning. */
  readonly #sessions = new Map<string, Session>();

  constructor(options: TokenBookOptions) {
    this.#key = options.key;
    this.#now = options.now;
    this.#idleMs = options.idleMs ?? 15 * 60_000;
    this.#mostSessions = options.mostSessions ?? 1_000;
    this.#mostOfOne = options.mostOfOne ?? 20;
  }

  /** Begins a session and answers its token, which nobody can be told again. Where there are too many, one of his own ends, or of whoever has the most. */
  begin(draft: SessionDraft): Begun {
    this.#sweep();
    this.#makeRoom(draft.administrator);
    const { accessor, text } = draft.token;
    const now = this.#now();
    const session: Session = {
      accessor,
      administrator: draft.administrator,
      epoch: draft.epoch,
      spiffeId: draft.spiffeId,
      remoteAddress: draft.remoteAddress,
      scope: draft.scope,
      createdAt: now,
      lastUsedAt: now,
      expiresAt: now + clampTtl(draft.ttlMs),
      uses: 0,
      usesLeft: draft.uses,
      mac: this.#mac(text),
    };
    this.#sessions.set(accessor, session);
    return { token: text, session: factsOf(session) };
  }

  /** Admits a request with this token, which is one use of it. */
  present(token: string, spiffeId: string): Presented {
    const accessor = accessorOf(token);
    const session = accessor === undefined ? undefined : this.#sessions.get(accessor);
    if (session === undefined || !timingSafeEqual(session.mac, this.#mac(token))) return { kind: 'unknown' };
    if (!this.#lives(session)) {
      this.#sessions.delete(session.accessor);
      return { kind: 'unknown' };
    }
    if (session.spiffeId !== spiffeId) {
      this.#sessions.delete(session.accessor);
      return { kind: 'misused', session: factsOf(session) };
    }
    if (session.usesLeft === 0) return { kind: 'unknown' };
    if (session.usesLeft !== undefined) session.usesLeft -= 1;
    session.uses += 1;
    session.lastUsedAt = this.#now();
    return { kind: 'session', session: factsOf(session) };
  }

  /** A session that was neither revoked nor has ended, or undefined: what it was admitted for may still be done. */
  find(accessor: string): SessionFacts | undefined {
    const session = this.#sessions.get(accessor);
    return session !== undefined && this.#lives(session) ? factsOf(session) : undefined;
  }

  /** The live sessions, oldest first. */
  list(): readonly SessionFacts[] {
    this.#sweep();
    return [...this.#sessions.values()].map(factsOf);
  }

  /** Lets a live session end this much later than now, at most at its longest. Undefined when there is none. */
  renew(accessor: string, ttlMs: number): SessionFacts | undefined {
    const session = this.#sessions.get(accessor);
    if (session === undefined || !this.#lives(session)) return undefined;
    session.expiresAt = Math.min(this.#now() + clampTtl(ttlMs), session.createdAt + tokenLimits.longestMs);
    return factsOf(session);
  }

  /** Ends the sessions that match and answers how many there were. Holds for the next request, and for what was not yet handed to the store. */
  revoke(matches: (session: SessionFacts) => boolean): number {
    this.#sweep();
    const found = [...this.#sessions.values()].filter(matches);
    for (const { accessor } of found) this.#sessions.delete(accessor);
    return found.length;
  }

  /** Lets one session outlive the change that ends the others of its administrator. */
  keep(accessor: string, epoch: number): void {
    const session = this.#sessions.get(accessor);
    if (session !== undefined) session.epoch = epoch;
  }

  revokeAll(): void {
    this.#sessions.clear();
  }

  [Symbol.dispose](): void {
    this.revokeAll();
    this.#key.dispose();
  }

  #mac(token: string): Uint8Array {
    return authenticate(this.#key, 'session', token);
  }

  #lives(session: Session): boolean {
    const now = this.#now();
    return now < session.expiresAt && now < session.lastUsedAt + this.#idleMs;
  }

  #sweep(): void {
    for (const session of this.#sessions.values())
      if (!this.#lives(session)) this.#sessions.delete(session.accessor);
  }

  #makeRoom(administrator: string): void {
    const all = [...this.#sessions.values()];
    const own = all.filter((session) => session.administrator === administrator);
    if (own.length >= this.#mostOfOne) this.#drop(own[0]);
    else if (all.length >= this.#mostSessions) this.#drop(oldestOfMost(all));
  }

  #drop(session: Session | undefined): void {
    if (session !== undefined) this.#sessions.delete(session.accessor);
  }
}

/** The oldest of whoever has the most: a few accounts that log in often push out each other, and nobody else. */
function oldestOfMost(sessions: readonly Session[]): Session | undefined {
  const byAdministrator = Map.groupBy(sessions, ({ administrator }) => administrator);
  return [...byAdministrator.values()].reduce((most, own) => (own.length > most.length ? own : most), [])[0];
}

function clampTtl(ttlMs: number): number {
  return Math.min(Math.max(ttlMs, tokenLimits.shortestMs), tokenLimits.longestMs);
}

function factsOf({ mac: _mac, ...facts }: Session): SessionFacts {
  return facts;
}
