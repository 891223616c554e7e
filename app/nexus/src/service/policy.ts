import { setImmediate } from 'node:timers/promises';
import { SpikeError } from '@spike/error';
import type { Row } from '@spike/store';
import { PolicyEngine } from '../policy/engine.ts';
import {
  parsePolicy,
  parsePolicyName,
  restorePolicy,
  rootTenant,
  type PolicyInput,
  type PolicyRecord,
} from '../policy/policy.ts';
import { describePitfalls } from '../policy/warning.ts';
import type { Ledger, Vault } from '../vault/port.ts';
import { KeyedLock } from './keyed-lock.ts';
import { decodePolicy, encodePolicy } from './policy-record.ts';
import type { Granted, Mutation } from './port.ts';
import { damaged } from './record.ts';

export interface PolicyServiceOptions {
  readonly vault: Vault;
  readonly ledger: Ledger;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
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
  readonly #now: () => number;
  readonly #lock = new KeyedLock();
  /** Names of which a failed commit left open what the store holds. */
  readonly #unsettled = new Set<string>();

  private constructor(options: PolicyServiceOptions) {
    this.#vault = options.vault;
    this.#ledger = options.ledger;
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

  /** Creates the policy or replaces the one of this name, which keeps its time of creation. Throws `data_invalid_input`. */
  async put(
    _grant: Granted,
    input: PolicyInput,
    mutation: Mutation = {},
  ): Promise<{ readonly warnings: readonly string[] }> {
    const checked = parsePolicy(input, { createdAt: 0, updatedAt: 0 });
    const name = checked.record.name;
    await this.#change(name, mutation, async (key, row) => {
      const now = this.#now();
      const createdAt = row === undefined ? now : this.#open(row, name).createdAt;
      const record: PolicyRecord = { ...checked.record, createdAt, updatedAt: now };
      const revision = (row?.revision ?? 0) + 1;
      const sealed = this.#vault.seal(
        'policy',
        key,
        { revision, version: 0, field: 0 },
        encodePolicy(record),
      );
      const expect = row === undefined ? 'absent' : { revision: row.revision };
      await this.#ledger.commit([{ kind: 'put', table: 'policy', row: sealed, expect }], mutation.record);
      this.engine.put({ ...checked, record });
    });
    return { warnings: describePitfalls(checked) };
  }

  /** Throws `api_not_found`. */
  async get(_grant: Granted, name: string): Promise<PolicyRecord> {
    await this.settle();
    const record = this.engine.get(rootTenant, parsePolicyName(name));
    if (record === undefined) throw noSuchPolicy();
    return record;
  }

  /** Throws `api_not_found`. */
  async delete(_grant: Granted, name: string, mutation: Mutation = {}): Promise<void> {
    await this.#change(parsePolicyName(name), mutation, async (key, row) => {
      if (row === undefined) throw noSuchPolicy();
      const expect = { revision: row.revision };
      await this.#ledger.commit([{ kind: 'delete', table: 'policy', key, expect }], mutation.record);
      this.engine.remove(rootTenant, name);
    });
  }

  /** By name. */
  async list(_grant: Granted, filter: PolicyFilter = {}): Promise<readonly PolicyRecord[]> {
    await this.settle();
    const { spiffePattern = '', pathPattern = '' } = filter;
    const all = this.engine.list();
    if (spiffePattern !== '') return all.filter((record) => record.spiffePattern === spiffePattern);
    if (pathPattern !== '') return all.filter((record) => record.pathPattern === pathPattern);
    return all;
  }

  async #change(
    name: string,
    mutation: Mutation,
    change: (key: Uint8Array, row: Row | undefined) => Promise<void>,
  ): Promise<void> {
    await this.settle();
    const key = this.#vault.key('policy', [rootTenant, name]);
    await this.#lock.run(
      name,
      async () => {
        for (let attempt = 1; ; attempt += 1) {
          try {
            await change(key, await this.#ledger.get('policy', key));
            return;
          } catch (thrown) {
            const code = thrown instanceof SpikeError ? thrown.code : undefined;
            if (code === 'entity_version_conflict' && attempt < mostAttempts) continue;
            if (code !== 'api_not_found') await this.#doubt(name);
            throw thrown;
          }
        }
      },
      mutation.signal,
    );
  }

  /** After a commit of unknown outcome the store says what holds, now or, when it can't be read either, later. */
  async #doubt(name: string): Promise<void> {
    this.#unsettled.add(name);
    await this.#refresh(name).catch(() => undefined);
  }

  /** Brings decisions in step with the store where a commit left that open; for when such a commit came through late. */
  async settle(): Promise<void> {
    for (const name of this.#unsettled) await this.#lock.run(name, () => this.#refresh(name));
  }

  async #refresh(name: string): Promise<void> {
    const row = await this.#ledger.get('policy', this.#vault.key('policy', [rootTenant, name]));
    if (row === undefined) this.engine.remove(rootTenant, name);
    else this.engine.put(restorePolicy(this.#open(row, name)));
    if (this.#ledger.settled) this.#unsettled.delete(name);
  }

  #open(row: Row, name?: string): PolicyRecord {
    const record = decodePolicy(this.#vault.open('policy', row));
    if (record.tenant !== rootTenant) {
      throw damaged('a policy belongs to a tenant, which this release does not know');
    }
    const key = this.#vault.key('policy', [rootTenant, record.name]);
    const misplaced = Buffer.compare(key, row.key) !== 0 || (name !== undefined && name !== record.name);
    if (misplaced) throw damaged('a policy lies in the place of another');
    return record;
  }
}

function noSuchPolicy(): SpikeError {
  return new SpikeError('api_not_found', 'there is no policy of this name');
}
