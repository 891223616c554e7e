import { setImmediate } from 'node:timers/promises';
import { SpikeError } from '@spike/error';
import type { Row } from '@spike/store';
import { noAlerts, type AlertPort } from '../alert/port.ts';
import { PolicyEngine } from '../policy/engine.ts';
import {
  parsePolicy,
  parsePolicyName,
  restorePolicy,
  type PolicyInput,
  type PolicyRecord,
} from '../policy/policy.ts';
import { chooseTenant, labelOf, type PolicyId } from '../policy/tenant.ts';
import { describePitfalls } from '../policy/warning.ts';
import { findWidening } from '../policy/widening.ts';
import type { Ledger, Vault } from '../vault/port.ts';
import { KeyedLock } from './keyed-lock.ts';
import { decodePolicy, encodePolicy } from './policy-record.ts';
import { PolicyRoom, type PolicyLimits } from './policy-room.ts';
import type { GrantedSystem, Mutation } from './port.ts';
import { damaged } from './record.ts';

export interface PolicyServiceOptions {
  readonly vault: Vault;
  readonly ledger: Ledger;
  readonly alerts?: AlertPort;
  readonly limits: PolicyLimits;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** Whose policy is meant, for those who may act for more than one tenant; the root's unless told. */
export interface Named {
  readonly tenant?: string | undefined;
}

/** Both are compared with what is stored, character by character; where both are given, the SPIFFE ID pattern decides. */
export interface PolicyFilter {
  readonly spiffePattern?: string;
  readonly pathPattern?: string;
}

const pageRows = 100;
const mostAttempts = 5;

/** Keeps policies sealed in the store and, as long as the vault is open, ready for decisions in memory. */
export class PolicyService {
  /** What the guard asks. It changes with each commit, before the commit is answered. */
  readonly engine = new PolicyEngine();
  readonly #vault: Vault;
  readonly #ledger: Ledger;
  readonly #alerts: AlertPort;
  readonly #now: () => number;
  readonly #lock = new KeyedLock();
  readonly #room: PolicyRoom;
  /** Policies of which a failed commit left open what the store holds. */
  readonly #unsettled = new Map<string, PolicyId>();

  private constructor(options: PolicyServiceOptions) {
    this.#vault = options.vault;
    this.#ledger = options.ledger;
    this.#alerts = options.alerts ?? noAlerts;
    this.#room = new PolicyRoom(this.engine, options.limits);
    this.#now = options.now ?? Date.now;
  }

  /** Reads all policies. Throws `store_integrity` when one of them does not open: a policy that is left out is a changed rule. */
  static async load(options: PolicyServiceOptions, signal?: AbortSignal): Promise<PolicyService> {
    const service = new PolicyService(options);
    let after: Uint8Array | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const rows = await options.ledger.list('policy', new Uint8Array(0), {
        limit: pageRows,
        ...(after === undefined ? {} : { after }),
      });
      for (const row of rows) service.engine.put(restorePolicy(service.#open(row)));
      after = rows.at(-1)?.key;
      if (rows.length < pageRows) return service;
      // A store that answers from memory must not hold up the health route.
      await setImmediate();
    }
  }

  /**
   * Creates the policy or replaces the one of this name, which keeps its time of creation. Throws `data_invalid_input`,
   * `entity_limit_reached` for one more than there may be, and `access_unauthorized` for another tenant and for `super` in a tenant: nobody gives what he lacks.
   */
  async put(
    grant: GrantedSystem,
    input: PolicyInput & Named,
    mutation: Mutation = {},
  ): Promise<{ readonly warnings: readonly string[] }> {
    const tenant = chooseTenant(grant.permission.tenant, input.tenant);
    const checked = parsePolicy(input, { createdAt: 0, updatedAt: 0 }, tenant);
    if (grant.permission.tenant !== undefined && checked.record.permissions.includes('super'))
      throw new SpikeError('access_unauthorized', 'a tenant_admin gives no super');
    const id = { tenant, name: checked.record.name };
    await this.#change(id, mutation, async (key, row) => {
      using _place = row === undefined ? this.#room.claim(id) : undefined;
      const now = this.#now();
      const before = row === undefined ? undefined : this.#open(row, id);
      const record: PolicyRecord = {
        ...checked.record,
        createdAt: before?.createdAt ?? now,
        updatedAt: now,
      };
      const revision = (row?.revision ?? 0) + 1;
      const sealed = this.#vault.seal(
        'policy',
        key,
        { revision, version: 0, field: 0 },
        encodePolicy(record),
      );
      const expect = row === undefined ? 'absent' : { revision: row.revision };
      await this.#ledger.commit([{ kind: 'put', table: 'policy', row: sealed, expect }], mutation);
      this.engine.put({ ...checked, record });
      this.#tellWidening(grant, id, findWidening(before, record));
    });
    return { warnings: describePitfalls(checked) };
  }

  /** Throws `api_not_found`. */
  async get(grant: GrantedSystem, name: string, named: Named = {}): Promise<PolicyRecord> {
    const tenant = chooseTenant(grant.permission.tenant, named.tenant);
    await this.settle();
    const record = this.engine.get(tenant, parsePolicyName(name));
    if (record === undefined) throw noSuchPolicy();
    return record;
  }

  /** Throws `api_not_found`. */
  async delete(grant: GrantedSystem, name: string, options: Mutation & Named = {}): Promise<void> {
    const tenant = chooseTenant(grant.permission.tenant, options.tenant);
    await this.#change({ tenant, name: parsePolicyName(name) }, options, async (key, row) => {
      if (row === undefined) throw noSuchPolicy();
      const expect = { revision: row.revision };
      await this.#ledger.commit([{ kind: 'delete', table: 'policy', key, expect }], options);
      this.engine.remove(tenant, name);
    });
  }

  /** By name. */
  async list(grant: GrantedSystem, filter: PolicyFilter = {}): Promise<readonly PolicyRecord[]> {
    await this.settle();
    const { spiffePattern = '', pathPattern = '' } = filter;
    const all = this.engine.list(grant.permission.tenant?.join('/'));
    if (spiffePattern !== '') return all.filter((record) => record.spiffePattern === spiffePattern);
    if (pathPattern !== '') return all.filter((record) => record.pathPattern === pathPattern);
    return all;
  }

  #tellWidening({ peer }: GrantedSystem, id: PolicyId, reasons: readonly string[]): void {
    if (reasons.length === 0) return;
    this.#alerts.raise({
      kind: 'policy_widened',
      subject: labelOf(id),
      message: `a policy lets through more than before: ${reasons.join(', ')}`,
      detail: { by: peer.id.toString() },
    });
  }

  async #change(
    id: PolicyId,
    mutation: Mutation,
    change: (key: Uint8Array, row: Row | undefined) => Promise<void>,
  ): Promise<void> {
    await this.settle();
    const key = this.#keyOf(id);
    await this.#lock.run(
      labelOf(id),
      async () => {
        for (let attempt = 1; ; attempt += 1) {
          try {
            await change(key, await this.#ledger.get('policy', key));
            return;
          } catch (thrown) {
            const code = thrown instanceof SpikeError ? thrown.code : undefined;
            if (code === 'entity_version_conflict' && attempt < mostAttempts) continue;
            if (code !== 'api_not_found' && code !== 'entity_limit_reached') await this.#doubt(id);
            throw thrown;
          }
        }
      },
      mutation.signal,
    );
  }

  /** After a commit of unknown outcome the store says what holds, now or, when it can't be read either, later. */
  async #doubt(id: PolicyId): Promise<void> {
    this.#unsettled.set(labelOf(id), id);
    await this.#refresh(id).catch(() => undefined);
  }

  /** Brings decisions in step with the store where a commit left that open; for when such a commit came through late. */
  async settle(): Promise<void> {
    for (const [lock, id] of this.#unsettled) await this.#lock.run(lock, () => this.#refresh(id));
  }

  async #refresh(id: PolicyId): Promise<void> {
    const row = await this.#ledger.get('policy', this.#keyOf(id));
    if (row === undefined) this.engine.remove(id.tenant, id.name);
    else this.engine.put(restorePolicy(this.#open(row, id)));
    if (this.#ledger.settled) this.#unsettled.delete(labelOf(id));
  }

  #open(row: Row, id?: PolicyId): PolicyRecord {
    const record = decodePolicy(this.#vault.open('policy', row));
    const isElsewhere = id !== undefined && labelOf(id) !== labelOf(record);
    if (isElsewhere || Buffer.compare(this.#keyOf(record), row.key) !== 0)
      throw damaged('a policy lies in the place of another');
    return record;
  }

  #keyOf({ tenant, name }: PolicyId): Uint8Array {
    return this.#vault.key('policy', [tenant, name]);
  }
}

function noSuchPolicy(): SpikeError {
  return new SpikeError('api_not_found', 'there is no policy of this name');
}
