import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import type { InputOf, NexusTable } from '@spike/contract';
import { answerChallenge, Share } from '@spike/crypto';
import type { Store } from '@spike/store';
import type { OracleSession } from '../../admin/testing/oracle.ts';
import { root } from '../../admin/testing/stage.ts';
import type { Approval } from './approval-oracle.ts';
import type { Glass } from './glass-oracle.ts';
import {
  createMachine,
  ModelNexus,
  reopenStore,
  wipe,
  type Machine,
  type Reply,
  type RouteName,
} from './nexus.ts';

export const ids = [root, `${root}/other`] as const;
export const recoverIds = ['', '/two'].map((end) => `spiffe://spike.ist/spike/pilot/role/recover${end}`);
export const workloads = ['/app', '/app/a', '/app/a/b', '/application'].map(
  (end) => `spiffe://spike.ist${end}`,
);
export const restoreId = 'spiffe://spike.ist/spike/pilot/role/restore';

/** Recovery shares by their numbers, as people keep them. */
type Shares = ReadonlyMap<number, Uint8Array>;

/** The system and what people around it know: tokens, passwords, shares, and whatever they still have of before. */
export class World implements AsyncDisposable {
  readonly machine: Machine;
  nexus: ModelNexus;
  readonly tokens = new Map<OracleSession, { readonly token: string; readonly accessor: string }>();
  /** Of sessions that ended with a process, or with an instance. */
  readonly deadTokens: string[] = [];
  readonly glasses = new Map<Glass, string>();
  readonly approvals = new Map<Approval, string>();
  /** Every password that there was. */
  readonly passwords: string[] = [];
  /** Init codes that opened something. */
  readonly usedCodes: string[] = [];
  shares: Shares = new Map();
  oldShares: Shares = new Map();
  /** Answers of holders that somebody has recorded. */
  readonly overheard: Uint8Array[] = [];
  #made = 0;

  private constructor(machine: Machine, nexus: ModelNexus) {
    this.machine = machine;
    this.nexus = nexus;
  }

  static async open(kind: Store['kind']): Promise<World> {
    const machine = await createMachine(kind);
    const world = new World(machine, await ModelNexus.start(machine));
    await world.#takeShares();
    return world;
  }

  pass(ms: number): void {
    this.machine.at.wall += ms;
    this.machine.at.ticks += ms;
  }

  newPassword(): string {
    this.#made += 1;
    const password = `a password, number ${this.#made} of them`;
    this.passwords.push(password);
    return password;
  }

  /** With the token of this session; with one that has ended where there is none. */
  async ask<Name extends RouteName>(
    name: Name,
    session: OracleSession | undefined,
    input: InputOf<NexusTable[Name]>,
    from: string = session?.id ?? root,
  ): Promise<Reply<Name>> {
    const token = session === undefined ? this.deadTokens.at(-1) : this.tokens.get(session)?.token;
    return await this.nexus.ask(name, from, input, token);
  }

  /** Another process, without the root key until the holders bring it back. */
  async restart(order: readonly number[]): Promise<void> {
    await this.nexus[Symbol.asyncDispose]();
    await reopenStore(this.machine);
    this.#forget();
    this.nexus = await ModelNexus.start(this.machine);
    const { code } = await this.nexus.ask('showToken', root, {}, this.deadTokens.at(-1));
    assert.equal(code, 'state_not_ready');
    for (const [id, shard] of this.oldShares) {
      const old = await this.nexus.ask('restore', restoreId, { id, shard: Uint8Array.from(shard) });
      assert.equal(old.code, 'shamir_reconstruction_failed');
    }
    for (const id of order) {
      const shard = Uint8Array.from(this.shares.get(id) ?? assert.fail());
      assert.equal((await this.nexus.ask('restore', restoreId, { id, shard })).code, 'ok');
    }
    assert.equal(this.nexus.custody.state, 'ready');
  }

  /** The instance is gone, and there is a new one. */
  async reset(): Promise<void> {
    await this.nexus[Symbol.asyncDispose]();
    await wipe(this.machine);
    this.#forget();
    this.oldShares = this.shares;
    this.nexus = await ModelNexus.start(this.machine);
    await this.#takeShares();
  }

  /** What the Pilot of a holder makes of a share and of what is asked. */
  async challengeOf(
    id: string,
    from: string,
  ): Promise<((share: number, of: Shares) => Uint8Array) | undefined> {
    const { output } = await this.nexus.ask('getApproval', from, { id });
    if (output === undefined) return undefined;
    const { approval, challenge } = output;
    const { kind, target, by } = approval;
    return (number, of) => {
      using share = Share.take(number, Uint8Array.from(of.get(number) ?? assert.fail()));
      return answerChallenge(share, challenge.generation, { id, kind, target, by, ...challenge });
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.nexus[Symbol.asyncDispose]();
    await this.machine.store[Symbol.asyncDispose]();
    await rm(this.machine.directory, { recursive: true, force: true });
  }

  async #takeShares(): Promise<void> {
    const { output } = await this.nexus.ask('recover', recoverIds[0] ?? '', {});
    this.shares = output?.shards ?? assert.fail();
  }

  #forget(): void {
    for (const { token } of this.tokens.values()) this.deadTokens.push(token);
    this.tokens.clear();
    this.approvals.clear();
  }
}
