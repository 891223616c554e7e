import type { Share } from '@spike/crypto';
import { toSpikeError } from '@spike/error';
import type { Log } from '@spike/log';

/** What a Keeper says its share belongs to; a share that comes from Bootstrap belongs to nothing yet. */
export interface ShareOrigin {
  readonly instance: string;
  readonly generation: number;
  readonly id: number;
}

export interface FetchedShare {
  /** Position of the Keeper in the list, which is the id of its share. */
  readonly keeper: number;
  readonly share: Share;
  readonly origin: ShareOrigin | undefined;
}

export interface SlotReport {
  readonly held: boolean;
  readonly instance?: string | undefined;
  readonly generation?: number | undefined;
  readonly id?: number | undefined;
  readonly digest?: string | undefined;
}

/** One Keeper as Nexus sees it. Each call has its own deadline below that of the signal. */
export interface Keeper {
  readonly id: number;
  readonly url: string;
  /** Undefined when the Keeper holds nothing. */
  fetch(signal: AbortSignal): Promise<Omit<FetchedShare, 'keeper'> | undefined>;
  /** Undefined when the Keeper is one of the Go original, which has no such route. */
  status(
    signal: AbortSignal,
  ): Promise<{ readonly active: SlotReport; readonly pending: SlotReport } | undefined>;
  contribute(
    share: Share,
    origin: ShareOrigin,
    slot: 'active' | 'pending',
    signal: AbortSignal,
  ): Promise<void>;
}

export interface KeeperHealth {
  readonly id: number;
  readonly url: string;
  readonly reachable: boolean;
  /** It answered, at the last probe, that it holds the active share of this instance. */
  readonly holdsShare: boolean;
}

/** What a split needs to give a Keeper its share again. */
export interface KeeperSplit {
  readonly instance: string;
  readonly generation: number;
  readonly threshold: number;
  readonly count: number;
  readonly digests: readonly Uint8Array[];
  shareOf(id: number): Share;
}

/** All Keepers: takes their shares when Nexus has no key, and keeps them supplied when it has one. */
export class KeeperSet {
  readonly #keepers: readonly Keeper[];
  readonly #log: Log;
  readonly #health = new Map<number, { reachable: boolean; holdsShare: boolean; failure?: string }>();
  /** Keepers that showed a share of our instance which is not ours, and were not right since. */
  readonly #wrong = new Set<number>();

  constructor(keepers: readonly Keeper[], log: Log) {
    this.#keepers = keepers;
    this.#log = log;
  }

  get size(): number {
    return this.#keepers.length;
  }

  get health(): readonly KeeperHealth[] {
    return this.#keepers.map(({ id, url }) => {
      const { reachable = false, holdsShare = false } = this.#health.get(id) ?? {};
      return { id, url, reachable, holdsShare };
    });
  }

  /** Asks all Keepers at once for the share that they hold. Keepers that fail are logged and left out. */
  async collect(signal: AbortSignal): Promise<readonly FetchedShare[]> {
    const answers = await Promise.all(
      this.#keepers.map(async (keeper) => {
        const share = await this.#ask(keeper, () => keeper.fetch(signal), signal);
        return share === undefined ? [] : [{ keeper: keeper.id, ...share }];
      }),
    );
    return answers.flat();
  }

  /** Looks at every Keeper once, and gives the active share to each that does not hold it. */
  async supply(split: KeeperSplit, signal: AbortSignal): Promise<void> {
    await Promise.all(
      this.#keepers.map(async (keeper) => {
        await this.#ask(keeper, () => this.#supplyOne(keeper, split, signal), signal);
      }),
    );
  }

  async #supplyOne(keeper: Keeper, split: KeeperSplit, signal: AbortSignal): Promise<true> {
    const { id } = keeper;
    if (id > split.count) return true;
    const before = await keeper.status(signal);
    let holdsShare = before !== undefined && isRight(before.active, id, split);
    if (!holdsShare) {
      // What it shows after that tells whether it can be relied on; one of the Go original shows nothing.
      this.#reportWrong(id, before?.active, split);
      await this.#contribute(keeper, split, signal);
      const after = before === undefined ? undefined : await keeper.status(signal);
      holdsShare = after === undefined || isRight(after.active, id, split);
      if (before !== undefined && holdsShare) this.#log.info('keeper.supplied', { keeper: id });
    }
    if (holdsShare) this.#wrong.delete(id);
    this.#health.set(id, { reachable: true, holdsShare });
    return true;
  }

  async #contribute(keeper: Keeper, split: KeeperSplit, signal: AbortSignal): Promise<void> {
    const { instance, generation } = split;
    using share = split.shareOf(keeper.id);
    await keeper.contribute(share, { instance, generation, id: keeper.id }, 'active', signal);
  }

  /** Once until it is right again. */
  #reportWrong(id: number, active: SlotReport | undefined, split: KeeperSplit): void {
    if (active?.held !== true || active.instance !== split.instance || this.#wrong.has(id)) return;
    this.#wrong.add(id);
    this.#log.error('keeper.bad_share', { keeper: id });
  }

  /** Runs one call; a failure is logged when it is news, and is then undefined. */
  async #ask<Answer>(
    keeper: Keeper,
    call: () => Promise<Answer>,
    signal: AbortSignal,
  ): Promise<Answer | undefined> {
    const before = this.#health.get(keeper.id);
    try {
      const answer = await call();
      if (before?.reachable !== true) this.#log.info('keeper.reachable', { keeper: keeper.id });
      this.#health.set(keeper.id, {
        reachable: true,
        holdsShare: this.#health.get(keeper.id)?.holdsShare ?? false,
      });
      return answer;
    } catch (error) {
      // We are told to stop: that tells nothing about the Keeper.
      if (isStop(signal.reason)) return undefined;
      const { code, message } = toSpikeError(error);
      const reachable = code !== 'net_peer_connection' && code !== 'net_timeout';
      if (before?.failure !== message) this.#log.warn('keeper.failed', { keeper: keeper.id, code, message });
      this.#health.set(keeper.id, { reachable, holdsShare: false, failure: message });
      return undefined;
    }
  }
}

function isRight(active: SlotReport, id: number, split: KeeperSplit): boolean {
  const digest = Buffer.from(split.digests[id - 1] ?? []).toString('hex');
  return (
    active.held &&
    active.instance === split.instance &&
    active.generation === split.generation &&
    active.id === id &&
    active.digest === digest
  );
}

function isStop(reason: unknown): boolean {
  return reason instanceof Error && reason.name === 'AbortError';
}
