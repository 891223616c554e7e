import { randomFillSync } from 'node:crypto';

export type Outcome = 'ok' | 'denied' | 'failed';

/** One request, as the audit keeps it (admin.md F). Holds no value, password, token or key. */
export interface AuditRecord {
  /** 16 random bytes, so that the hash of a record gives nothing away. */
  readonly salt: string;
  /** UTC with microseconds. */
  readonly time: string;
  readonly trail: string;
  readonly component: string;
  /** Empty until there is one. */
  readonly instance: string;
  readonly spiffeId: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly action: string;
  /** Path and action of the URL. */
  readonly route: string;
  readonly path?: string;
  /** What else the request is about, such as the name of a policy. */
  readonly subject?: string;
  readonly outcome: Outcome;
  /** The error's code; empty when there is none. */
  readonly code: string;
  /** Name of the policy that let it through. */
  readonly policy?: string;
  readonly durationMicros: number;
}

/** A record as text without its sequence, which the log gives when it is appended. */
export interface AuditDraft {
  readonly trail: string;
  /** A JSON object. */
  readonly record: string;
}

export interface RequestFacts {
  readonly component: string;
  readonly instance: string;
  readonly spiffeId: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly route: string;
}

const idBytes = 16;
const pageBytes = 4096;

/** Gives out random ids. One question to the generator costs as much for a page as for a few bytes, and each request needs two ids. */
export class RandomIds {
  readonly #page = Buffer.alloc(pageBytes);
  #at = pageBytes;

  /** 16 bytes in hex, never given out before. */
  next(): string {
    if (this.#at === pageBytes) {
      randomFillSync(this.#page);
      this.#at = 0;
    }
    const from = this.#at;
    this.#at += idBytes;
    return this.#page.toString('hex', from, this.#at);
  }
}

/** Collects what is known about one request, from its arrival on. */
export class AuditEntry {
  readonly trail: string;
  action = 'unknown';
  path: string | undefined;
  subject: string | undefined;
  policy: string | undefined;
  /** Handed out by a handler to be committed with its work. */
  draft: AuditDraft | undefined;
  readonly #salt: string;
  readonly #facts: RequestFacts;
  readonly #startedAt = performance.now();

  constructor(facts: RequestFacts, ids: RandomIds) {
    this.trail = ids.next();
    this.#salt = ids.next();
    this.#facts = facts;
  }

  record(outcome: Outcome, code: string, options: { readonly withPath: boolean }): AuditRecord {
    const { component, instance, spiffeId, remoteAddress, remotePort, route } = this.#facts;
    return {
      salt: this.#salt,
      time: formatMicros(wallMicros()),
      trail: this.trail,
      component,
      instance,
      spiffeId,
      remoteAddress,
      remotePort,
      action: this.action,
      route,
      ...(this.path === undefined || !options.withPath ? undefined : { path: this.path }),
      ...(this.subject === undefined || !options.withPath ? undefined : { subject: this.subject }),
      outcome,
      code,
      ...(this.policy === undefined ? undefined : { policy: this.policy }),
      durationMicros: Math.round((performance.now() - this.#startedAt) * 1000),
    };
  }
}

export function toDraft(record: AuditRecord): AuditDraft {
  return { trail: record.trail, record: JSON.stringify(record) };
}

/** Microseconds since 1970. The monotonic clock has the digits; where the wall clock was set in the meantime, that counts. */
function wallMicros(): number {
  const fine = performance.timeOrigin + performance.now();
  const coarse = Date.now();
  return Math.floor((Math.abs(fine - coarse) > 2 ? coarse : fine) * 1000);
}

export function formatMicros(micros: number): string {
  const text = new Date(Math.floor(micros / 1000)).toISOString();
  return `${text.slice(0, -1)}${String(micros % 1000).padStart(3, '0')}Z`;
}
