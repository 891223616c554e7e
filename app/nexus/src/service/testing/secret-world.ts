import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openMemoryStore, openSqliteStore, type Store } from '@spike/store';
import { OpenInstance } from '../../vault/instance.ts';
import type { GroupLedger } from '../../vault/ledger.ts';
import { createTestInstance, openTestLedger, type TestInstance } from '../../vault/testing/instance.ts';
import { PolicyService } from '../policy.ts';
import { SecretService } from '../secret.ts';
import { createClock } from './grant.ts';

const openMs = 30_000;

/** Secrets and policies over a real vault, ledger and store, which can be closed and opened again. */
const limits = { all: 1_000, ofTenant: 1_000 };

export class SecretWorld implements AsyncDisposable {
  readonly kind: Store['kind'];
  secrets: SecretService;
  policies: PolicyService;
  #made: TestInstance;
  #ledger: GroupLedger;
  readonly #directory: string | undefined;
  readonly #maxVersions: number;
  readonly #now = createClock();

  private constructor(
    made: TestInstance,
    ledger: GroupLedger,
    policies: PolicyService,
    directory: string | undefined,
    maxVersions: number,
  ) {
    this.kind = made.store.kind;
    this.#made = made;
    this.#ledger = ledger;
    this.#directory = directory;
    this.#maxVersions = maxVersions;
    this.policies = policies;
    this.secrets = this.#openSecrets();
  }

  static async open(kind: Store['kind'], maxVersions: number): Promise<SecretWorld> {
    const directory = kind === 'sqlite' ? await mkdtemp(join(tmpdir(), 'spike-secret-')) : undefined;
    const made = await createTestInstance(
      directory === undefined ? openMemoryStore() : await openStore(directory),
    );
    const ledger = await openTestLedger(made);
    const policies = await PolicyService.load({ limits, vault: made.instance.vault, ledger });
    return new SecretWorld(made, ledger, policies, directory, maxVersions);
  }

  /** Drops everything that lives in memory, keys too; what is in the store stays. */
  async restart(): Promise<void> {
    await this.#ledger[Symbol.asyncDispose]();
    this.#made.instance[Symbol.dispose]();
    const { rootKey, audit } = this.#made;
    let { store } = this.#made;
    if (this.#directory !== undefined) {
      await store[Symbol.asyncDispose]();
      store = await openStore(this.#directory);
    }
    const head = await store.head();
    if (head === undefined) throw new Error('the store has lost its head');
    this.#made = { rootKey, audit, store, instance: OpenInstance.open(rootKey, head.bytes) };
    this.#ledger = await openTestLedger(this.#made);
    this.policies = await PolicyService.load({
      limits,
      vault: this.#made.instance.vault,
      ledger: this.#ledger,
    });
    this.secrets = this.#openSecrets();
  }

  /** Rows of versions that the store holds. */
  async countVersions(): Promise<number> {
    const rows = await this.#made.store.list('secret_version', new Uint8Array(0), { limit: 10_000 });
    return rows.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ledger[Symbol.asyncDispose]();
    this.#made.instance[Symbol.dispose]();
    await this.#made.store[Symbol.asyncDispose]();
    if (this.#directory !== undefined) await rm(this.#directory, { recursive: true });
  }

  #openSecrets(): SecretService {
    return new SecretService({
      vault: this.#made.instance.vault,
      ledger: this.#ledger,
      engine: this.policies.engine,
      maxVersions: this.#maxVersions,
      now: this.#now,
    });
  }
}

function openStore(directory: string): Promise<Store> {
  return openSqliteStore({ directory: join(directory, 'store'), signal: AbortSignal.timeout(openMs) });
}
