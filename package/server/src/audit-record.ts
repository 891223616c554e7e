import { randomFillSync } from 'node:crypto';
import type { ErrorCode } from '@spike/error';
import type { Observed } from './port.ts';

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
  readonly path?: string | undefined;
  /** What else the request is about, such as the name of a policy. */
  readonly subject?: string | undefined;
  readonly outcome: Outcome;
  /** The error's code; empty when there is none. */
  readonly code: string;
  /** Name of the policy that let it through. */
  readonly policy?: string | undefined;
  /** Whose session it came under, and which. */
  readonly administrator?: string | undefined;
  readonly accessor?: string | undefined;
  readonly durationMicros: number;
}

/** The session that a request began, which is recorded where the session is that others come under. */
export interface Begun {
  readonly administrator: string;
  readonly accessor: string;
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

/** Gives out what is new in each record. */
export class Stamps {
  readonly #page = Buffer.alloc(pageBytes);
  #at = pageBytes;
  /** The last millisecond that was asked for, and its text up to there. */
  #millis = Number.NaN;
  #text = '';

  /** 16 random bytes in hex, never given out before: one question to the generator costs as much for a page of them. */
  id(): string {
    if (this.#at === pageBytes) {
      randomFillSync(this.#page);
      this.#at = 0;
    }
    const from = this.#at;
    this.#at += idBytes;
    return this.#page.toString('hex', from, this.#at);
  }

  /** UTC with microseconds. The monotonic clock has the digits; where the wall clock was set in the meantime, that counts. */
  time(): string {
    const fine = performance.timeOrigin + performance.now();
    const coarse = Date.now();
    return this.format(Math.floor((Math.abs(fine - coarse) > 2 ? coarse : fine) * 1000));
  }

  /** Microseconds since 1970. */
  format(micros: number): string {
    const millis = Math.floor(micros / 1000);
    if (millis !== this.#millis) {
      this.#millis = millis;
      this.#text = new Date(millis).toISOString().slice(0, -1);
    }
    return `${this.#text}${String(micros % 1000).padStart(3, '0')}Z`;
  }
}

/** Collects what is known about one request, from its arrival on. */
export class AuditEntry {
  readonly trail: string;
  action = 'unknown';
  path: string | undefined;
  subject: string | undefined;
  policy: string | undefined;
  administrator: string | undefined;
  accessor: string | undefined;
  /** Holds for a success alone: what fails after its draft has begun nothing. */
  begun: Begun | undefined;
  /** Handed out by a handler to be committed with its work. */
  draft: AuditDraft | undefined;
  readonly #salt: string;
  readonly #facts: RequestFacts;
  readonly #stamps: Stamps;
  readonly #startedAt = performance.now();

  constructor(facts: RequestFacts, stamps: Stamps) {
    this.trail = stamps.id();
    this.#salt = stamps.id();
    this.#facts = facts;
    this.#stamps = stamps;
  }

  observed(outcome: Outcome, code: ErrorCode | undefined): Observed {
    return {
      action: this.action,
      spiffeId: this.#facts.spiffeId,
      path: this.path,
      subject: this.subject,
      administrator: this.#session(outcome).administrator,
      outcome,
      code,
      durationMicros: this.#durationMicros(),
    };
  }

  record(outcome: Outcome, code: string, options: { readonly withPath: boolean }): AuditRecord {
    const { component, instance, spiffeId, remoteAddress, remotePort, route } = this.#facts;
    const { administrator, accessor } = this.#session(outcome);
    return {
      salt: this.#salt,
      time: this.#stamps.time(),
      trail: this.trail,
      component,
      instance,
      spiffeId,
      remoteAddress,
      remotePort,
      action: this.action,
      route,
      // What is undefined does not stand in the JSON.
      path: options.withPath ? this.path : undefined,
      subject: options.withPath ? this.subject : undefined,
      outcome,
      code,
      policy: this.policy,
      administrator,
      accessor,
      durationMicros: this.#durationMicros(),
    };
  }

  #session(outcome: Outcome): Pick<AuditEntry, 'administrator' | 'accessor'> {
    return (outcome === 'ok' ? this.begun : undefined) ?? this;
  }

  #durationMicros(): number {
    return Math.round((performance.now() - this.#startedAt) * 1000);
  }
}

export function toDraft(record: AuditRecord): AuditDraft {
  return { trail: record.trail, record: JSON.stringify(record) };
}
