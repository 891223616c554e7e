import type { Action, Need } from '@spike/contract';
import { createLog, type Log } from '@spike/log';
import type { SpiffeId } from '@spike/spiffe';
import type { AuditDraft, AuditRecord } from '../audit-record.ts';
import type { AuditPort, Decision, Gate, PolicyDecider } from '../port.ts';

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

/** A gate that a test turns by hand. */
export class FakeGate implements Gate {
  unlocked = true;
  identityEpoch = 0;
  refusal: Error | undefined;
  readonly asked: Need[] = [];

  check(need: Need): void {
    this.asked.push(need);
    if (this.refusal !== undefined && need !== 'any') throw this.refusal;
  }
}

/** An audit that remembers, or fails when told to. */
export class FakeAudit implements AuditPort {
  readonly records: (AuditRecord & { readonly committed: boolean })[] = [];
  readonly unready: AuditRecord[] = [];
  failure: Error | undefined;

  append(draft: AuditDraft, options: { readonly committed: boolean }): Promise<void> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const record = JSON.parse(draft.record) as AuditRecord;
    this.records.push({ ...record, committed: options.committed });
    return Promise.resolve();
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
