import { administratorRoles, reachOf, type Action, type Need, type Route } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { createLog, type Log } from '@spike/log';
import type { SpiffeId } from '@spike/spiffe';
import type { AuditDraft, AuditRecord } from '../audit-record.ts';
import {
  svidSessions,
  type Administration,
  type AuditPort,
  type Decision,
  type Gate,
  type PolicyDecider,
  type SessionPort,
  type TokenUse,
} from '../port.ts';

/** Policies as a list of who may do what where. */
export class FakePolicies implements PolicyDecider {
  readonly #rows: { readonly peer: string; readonly action: Action; readonly path: string }[] = [];

  allow(peer: SpiffeId, action: Action, path: string): void {
    this.#rows.push({ peer: peer.toString(), action, path });
  }

  allows(peer: SpiffeId, action: Action, path: string): Decision {
    return this.#decide((row) => row.peer === peer.toString() && row.action === action && row.path === path);
  }

  allowsAnywhere(peer: SpiffeId, action: Action): Decision {
    return this.#decide((row) => row.peer === peer.toString() && row.action === action);
  }

  #decide(test: (row: { peer: string; action: Action; path: string }) => boolean): Decision {
    const index = this.#rows.findIndex(test);
    return index === -1 ? { allowed: false } : { allowed: true, policy: `policy-${index}` };
  }
}

/** Sessions by their tokens; where a test gives none, the SVID alone is enough. */
export class FakeSessions implements SessionPort {
  readonly #known = new Map<string, { readonly peer: string; readonly administrator: Administration }>();
  readonly uses: TokenUse[] = [];
  /** What everybody is who needs no token. */
  alone: Partial<Administration> = {};

  /** From now on a token is asked for. */
  give(token: string, peer: SpiffeId, administrator: Partial<Administration> = {}): void {
    const whole = { ...svidSessions.authenticate(use(peer)), name: 'ann', accessor: token, ...administrator };
    this.#known.set(token, { peer: peer.toString(), administrator: whole });
  }

  end(token: string): void {
    this.#known.set(token, { ...this.#find(token), peer: '' });
  }

  authenticate(asked: TokenUse): Administration {
    this.uses.push(asked);
    if (this.#known.size === 0) return { ...svidSessions.authenticate(asked), ...this.alone };
    const { peer, administrator } = this.#find(asked.token ?? '');
    if (peer !== asked.peer.toString()) throw ended();
    return administrator;
  }

  accessorOf(token: string): string | undefined {
    return this.#known.has(token) ? token : undefined;
  }

  assertStill({ accessor }: Administration): void {
    if (this.#known.size > 0 && this.#find(accessor).peer === '') throw ended();
  }

  #find(token: string) {
    const found = this.#known.get(token);
    if (found === undefined) throw ended();
    return found;
  }
}

/** Somebody who may use this route: what belongs to other roles alone, a super_admin may not do. */
export function fitFor({ guard }: Route): Partial<Administration> {
  if (guard.kind !== 'administrator') return {};
  const { privilege } = guard;
  const role = administratorRoles.find((one) => reachOf(one, privilege) === 'all');
  return role === undefined ? {} : { role };
}

function use(peer: SpiffeId): TokenUse {
  return { token: undefined, peer, remoteAddress: '', trail: '' };
}

function ended(): SpikeError {
  return new SpikeError('session_required', 'log in first');
}

/** A gate that a test turns by hand. */
export class FakeGate implements Gate {
  unlocked = true;
  identityEpoch = 0;
  refusal: Error | undefined;
  readonly asked: Need[] = [];
  /** SPIFFE IDs that are denied. */
  readonly denied = new Set<string>();

  check(need: Need): void {
    this.asked.push(need);
    if (this.refusal !== undefined && need !== 'any') throw this.refusal;
  }

  denies(peer: SpiffeId): boolean {
    return this.denied.has(peer.toString());
  }
}

/** An audit that remembers, or fails when told to. */
export class FakeAudit implements AuditPort {
  readonly records: (AuditRecord & { readonly committed: boolean })[] = [];
  readonly unready: AuditRecord[] = [];
  /** What was done, as opposed to refused. */
  readonly actions: string[] = [];
  failure: Error | undefined;
  /** Trails of drafts that were committed although their requests failed. */
  readonly committed = new Set<string>();

  append(
    draft: AuditDraft,
    options: { readonly committed: boolean; readonly action?: string },
  ): Promise<void> {
    if (options.action !== undefined) this.actions.push(options.action);
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const record = JSON.parse(draft.record) as AuditRecord;
    this.records.push({ ...record, committed: options.committed });
    return Promise.resolve();
  }

  appendIfCommitted(draft: AuditDraft, options: { readonly action: string }): Promise<void> {
    if (!this.committed.has(draft.trail)) return Promise.resolve();
    return this.append(draft, { committed: true, ...options });
  }

  appendUnready(_draft: AuditDraft, record: AuditRecord): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    this.unready.push(record);
    return Promise.resolve();
  }
}

/** A log whose lines a test can read. */
export function createFakeLog(): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  return { log: createLog({ component: 'test', write: (line) => void lines.push(line) }), lines };
}
