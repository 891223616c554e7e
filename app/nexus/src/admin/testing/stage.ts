import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RoleBook, type Administration } from '@spike/server';
import { SpiffeId, TrustDomain } from '@spike/spiffe';
import type { Guessability } from '../password-judge.ts';
import type { HashCost } from '../password-hash.ts';
import { createTestInstance, openTestLedger, type TestInstance } from '../../vault/testing/instance.ts';
import { FaultyStore } from '../../vault/testing/faulty-store.ts';
import { openMemoryStore } from '@spike/store';
import type { KeyringVault } from '../../vault/vault.ts';
import type { GroupLedger } from '../../vault/ledger.ts';
import { AccessLayer, type LayerSettings } from '../layer.ts';
import type { AccessAlert, Asked } from '../port.ts';
import type { Begun } from '../token-book.ts';

export const root = 'spiffe://spike.ist/spike/pilot/role/superuser';
export const minute = 60_000;
export const hour = 60 * minute;
export const passwords = {
  first: 'correct horse battery staple',
  second: 'seven zebras ate my homework',
  third: 'a completely different sentence',
} as const;
/** Real Argon2id of no cost. */
export const cheap: HashCost = { memory: 32, passes: 1, lanes: 1 };
/** Every password is good that has the form of one. */
const anything: Guessability = async () => ({ common: false, score: 4 });

/** A second layer over a store in memory, with clocks that move when they are told to. */
export class Stage implements AsyncDisposable {
  readonly at: { wall: number; ticks: number };
  readonly alerts: AccessAlert[] = [];
  readonly store: FaultyStore;
  readonly ledger: GroupLedger;
  readonly layer: AccessLayer;
  readonly #made: TestInstance;
  readonly #directory: string;
  readonly #settings: Partial<LayerSettings>;

  private constructor(
    made: TestInstance,
    store: FaultyStore,
    ledger: GroupLedger,
    layer: AccessLayer,
    rest: { at: Stage['at']; alerts: AccessAlert[]; directory: string; settings: Partial<LayerSettings> },
  ) {
    this.#made = made;
    this.store = store;
    this.ledger = ledger;
    this.layer = layer;
    this.at = rest.at;
    this.alerts = rest.alerts;
    this.#directory = rest.directory;
    this.#settings = rest.settings;
  }

  static async open(settings: Partial<LayerSettings> = {}): Promise<Stage> {
    const store = new FaultyStore(openMemoryStore());
    const made = await createTestInstance(store);
    const directory = await mkdtemp(join(tmpdir(), 'spike-access-'));
    const at = { wall: Date.parse('2026-05-01T12:00:00Z'), ticks: 1_000 };
    return await Stage.#openOn(made, store, { at, alerts: [], directory, settings });
  }

  static async #openOn(
    made: TestInstance,
    store: FaultyStore,
    rest: { at: Stage['at']; alerts: AccessAlert[]; directory: string; settings: Partial<LayerSettings> },
  ): Promise<Stage> {
    const { at, alerts, directory, settings } = rest;
    const ledger = await openTestLedger({ ...made, store });
    const layer = await AccessLayer.open({
      vault: made.instance.vault,
      ledger,
      key: made.instance.accessKey,
      passwords: { minLength: 14, minScore: 3 },
      remembered: 5,
      idleMs: 15 * minute,
      lockout: { failures: 5, ms: 15 * minute },
      initCodeFile: join(directory, 'nexus', 'init-code'),
      roles: RoleBook.ofOne(TrustDomain.parse('spike.ist')),
      alerts: { raise: (alert) => alerts.push(alert) },
      cost: cheap,
      guess: anything,
      wall: () => at.wall,
      ticks: () => at.ticks,
      ...settings,
    });
    return new Stage(made, store, ledger, layer, rest);
  }

  /** The same store after a stop, at a wall clock that may have been set; what was in memory is gone. */
  async restart(
    options: { readonly wall?: number; readonly settings?: Partial<LayerSettings> } = {},
  ): Promise<Stage> {
    this.layer[Symbol.dispose]();
    await this.ledger[Symbol.asyncDispose]();
    return await Stage.#openOn(this.#made, this.store, {
      at: { wall: options.wall ?? this.at.wall, ticks: 77 },
      alerts: this.alerts,
      directory: this.#directory,
      settings: { ...this.#settings, ...options.settings },
    });
  }

  get vault(): KeyringVault {
    return this.#made.instance.vault;
  }

  get codeFile(): string {
    return join(this.#directory, 'nexus', 'init-code');
  }

  async code(): Promise<string> {
    return (await readFile(this.codeFile, 'utf8')).trim();
  }

  pass(ms: number): void {
    this.at.wall += ms;
    this.at.ticks += ms;
  }

  asked(change: Partial<Asked> = {}): Asked {
    return { spiffeId: root, remoteAddress: '127.0.0.1', signal: AbortSignal.timeout(20_000), ...change };
  }

  async init(user = 'admin', password: string = passwords.first): Promise<Begun> {
    return await this.layer.initialisation.run({ user, password, code: await this.code() }, this.asked());
  }

  async login(
    user: string,
    password: string,
    options: {
      readonly id?: string;
      readonly newPassword?: string;
      readonly ttlMs?: number;
      readonly uses?: number;
    } = {},
  ): Promise<Begun> {
    const { id = root, newPassword, ttlMs = hour, uses } = options;
    return await this.layer.login.run(
      { user, password, newPassword, ttlMs, uses, scope: 'all' },
      this.asked({ spiffeId: id }),
    );
  }

  authenticate(token: string | undefined, id = root): Administration {
    return this.layer.port.authenticate({
      token,
      peer: SpiffeId.parse(id),
      remoteAddress: '127.0.0.1',
      trail: 't',
    });
  }

  kinds(): readonly string[] {
    return this.alerts.map(({ kind }) => kind);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.layer[Symbol.dispose]();
    await this.ledger[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
