import type { Share } from '@spike/crypto';
import { toSpikeError } from '@spike/error';
import type { Log } from '@spike/log';
import { noAlerts, type AlertPort } from '../alert/port.ts';

/** For a round of all Keepers. */
export const callMs = 3_000;

/** What a Keeper says its share belongs to; a share that comes from Bootstrap belongs to nothing yet. */
export interface ShareOrigin {
  readonly instance: string;
  readonly generation: number;
  readonly id: number;
}

/** What Nexus left with the share and got back; a Keeper may say anything here. */
export interface KeeperNote {
  readonly keeper: number;
  readonly note: string;
}

export interface FetchedShare {
  /** Position of the Keeper in the list, which is the id of its share. */
  readonly keeper: number;
  readonly share: Share;
  readonly origin: ShareOrigin | undefined;
  readonly note?: string | undefined;
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
    note: string | undefined,
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

/** Fewer Keepers hold their share than a restart of Nexus needs. */
export interface Shortage {
  readonly holding: number;
  readonly required: number;
  /** What to do about it. */
  readonly message: string;
}

/** All Keepers: takes their shares when Nexus has no key, and keeps them supplied when it has one. */
export class KeeperSet {
  readonly #keepers: readonly Keeper[];
  readonly #log: Log;
  readonly #alerts: AlertPort;
  readonly #health = new Map<number, { reachable: boolean; holdsShare: boolean; failure?: string }>();
  /** Keepers that showed a share of our instance which is not ours, and were not right since. */
  readonly #wrong = new Set<number>();
  /** The last that each Keeper gave back, also of one that has died since. */
  readonly #notes = new Map<number, string>();
  /** The last that each Keeper was given. */
  readonly #given = new Map<number, string>();
  readonly #canAsk: () => boolean;
  #shortage: Shortage | undefined;

  /** `canAsk`: whether we hold an identity; without one no Keeper answers, which is no fault of theirs. */
  constructor(
    keepers: readonly Keeper[],
    log: Log,
    alerts: AlertPort = noAlerts,
    canAsk: () => boolean = () => true,
  ) {
    this.#keepers = keepers;
    this.#log = log;
    this.#alerts = alerts;
    this.#canAsk = canAsk;
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

  get notes(): readonly KeeperNote[] {
    return [...this.#notes].map(([keeper, note]) => ({ keeper, note }));
  }

  /** As of the last round of `supply`; undefined while enough Keepers hold their share. */
  get shortage(): Shortage | undefined {
    return this.#shortage;
  }

  /** Asks all Keepers at once for the share that they hold. Keepers that fail are logged and left out. */
  async collect(signal: AbortSignal): Promise<readonly FetchedShare[]> {
    const answers = await Promise.all(
      this.#keepers.map(async (keeper) => {
        const share = await this.#ask(keeper, () => keeper.fetch(signal), signal);
        if (share?.note !== undefined) this.#notes.set(keeper.id, share.note);
        return share === undefined ? [] : [{ keeper: keeper.id, ...share }];
      }),
    );
    return answers.flat();
  }

  /**
   * Looks at every Keeper once, and gives the active share to each that does not hold it, or that was not given this
   * note yet.
   */
  async supply(split: KeeperSplit, note: string | undefined, signal: AbortSignal): Promise<void> {
    await Promise.all(
      this.#keepers.map(async (keeper) => {
        await this.#ask(keeper, () => this.#supplyOne(keeper, split, note, signal), signal);
      }),
    );
    if (!isStop(signal.reason)) this.#reportShortage(split.threshold);
  }

  async #supplyOne(
    keeper: Keeper,
    split: KeeperSplit,
    note: string | undefined,
    signal: AbortSignal,
  ): Promise<true> {
    const { id } = keeper;
    if (id > split.count) return true;
    const before = await keeper.status(signal);
    let holdsShare = before !== undefined && isRight(before.active, id, split);
    if (holdsShare && note !== undefined && note !== this.#given.get(id)) {
      await this.#contribute(keeper, split, note, signal);
    } else if (!holdsShare) {
      // What it shows after that tells whether it can be relied on; one of the Go original shows nothing.
      this.#reportWrong(id, before?.active, split);
      await this.#contribute(keeper, split, note, signal);
      const after = before === undefined ? undefined : await keeper.status(signal);
      holdsShare = after === undefined || isRight(after.active, id, split);
      if (before !== undefined && holdsShare) this.#log.info('keeper.supplied', { keeper: id });
    }
    if (holdsShare) this.#wrong.delete(id);
    this.#health.set(id, { reachable: true, holdsShare });
    return true;
  }

  async #contribute(
    keeper: Keeper,
    split: KeeperSplit,
    note: string | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { instance, generation } = split;
    using share = split.shareOf(keeper.id);
    await keeper.contribute(share, { instance, generation, id: keeper.id }, 'active', note, signal);
    if (note !== undefined) this.#given.set(keeper.id, note);
  }

  /** Once when it begins and once when it is over. */
  #reportShortage(required: number): void {
    if (!this.#canAsk()) return;
    const holding = this.health.filter(({ holdsShare }) => holdsShare).length;
    const before = this.#shortage;
    if (this.#keepers.length === 0 || holding >= required) {
      this.#shortage = undefined;
      if (before !== undefined) this.#log.info('keeper.quorum_back', { holding, required });
      return;
    }
    const message =
      `${holding} of the ${required} Keepers that are needed hold their share, and a restart of Nexus would need ` +
      'people with recovery shares: start the other Keepers, Nexus gives them theirs';
    this.#shortage = { holding, required, message };
    if (before?.holding === holding) return;
    this.#log.warn('keeper.quorum_lost', { holding, required, message });
    this.#alerts.raise({ kind: 'keeper_quorum_low', message, detail: { holding, required } });
  }

  /** Once until it is right again. */
  #reportWrong(id: number, active: SlotReport | undefined, split: KeeperSplit): void {
    if (active?.held !== true || active.instance !== split.instance || this.#wrong.has(id)) return;
    this.#wrong.add(id);
    this.#log.error('keeper.bad_share', { keeper: id });
    this.#alerts.raise({
      kind: 'keeper_bad_share',
      subject: String(id),
      message: `Keeper ${id} holds a share of this instance that is not the one it was given; it was given that again`,
      detail: { keeper: id },
    });
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
