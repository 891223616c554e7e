import { randomBytes } from 'node:crypto';
import { AdminClock } from '../../admin/clock.ts';
import { HighWater } from '../../admin/high-water.ts';
import { commitPrepared } from '../../admin/record-book.ts';
import type { Journal } from '../../breakglass/journal.ts';
import type { HistoryKind } from '../../history/port.ts';
import { RoleBook } from '@spike/server';
import { SpiffeId, TrustDomain } from '@spike/spiffe';
import { openTestLedger } from '../../vault/testing/instance.ts';
import { openFixture, type Fixture } from '../../vault/testing/ledger.ts';
import { Denials, type DenialTerm } from '../denials.ts';
import type { DenialAlerts } from '../port.ts';

export const startAt = Date.parse('2026-06-01T12:00:00Z');

/** What outlives a restart, and the two clocks of a machine. */
interface Kept {
  readonly fixture: Fixture;
  readonly at: { wall: number; ticks: number };
  readonly notes: Record<string, unknown>[];
  readonly alerts: Parameters<DenialAlerts['raise']>[0][];
  readonly history: HistoryKind[];
  /** IDs that have a connection. */
  readonly connected: SpiffeId[];
  onCut: () => void;
}

/** Denials over a store in memory, with clocks that stand still until they are moved. */
export class DenialStage implements AsyncDisposable {
  readonly kept: Kept;
  readonly denials: Denials;
  readonly #ledger: Fixture['ledger'];

  private constructor(kept: Kept, denials: Denials, ledger: Fixture['ledger']) {
    this.kept = kept;
    this.denials = denials;
    this.#ledger = ledger;
  }

  static async open(options: { readonly most?: number } = {}): Promise<DenialStage> {
    const fixture = await openFixture();
    const at = { wall: startAt, ticks: 0 };
    const kept = { fixture, at, notes: [], alerts: [], history: [], connected: [], onCut: () => undefined };
    return await load(kept, fixture.ledger, options, (...made) => new DenialStage(...made));
  }

  /** Another process on the same store, at a machine whose ticks begin anew. */
  async restart(): Promise<DenialStage> {
    this.denials[Symbol.dispose]();
    await this.#ledger[Symbol.asyncDispose]();
    const { kept } = this;
    kept.at.ticks = 0;
    const ledger = await openTestLedger(kept.fixture);
    return await load(kept, ledger, {}, (...made) => new DenialStage(...made));
  }

  /** Time goes by. */
  pass(ms: number): void {
    this.kept.at.wall += ms;
    this.kept.at.ticks += ms;
  }

  put(spiffeId: string, term: DenialTerm = {}, reason = 'why not'): ReturnType<Denials['put']> {
    return this.denials.put({ spiffeId, reason, term, by: 'ann' }, {});
  }

  lift(spiffeId: string): ReturnType<Denials['lift']> {
    return this.denials.lift({ spiffeId, by: 'ben' }, {});
  }

  denies(text: string): boolean {
    return this.denials.denies(SpiffeId.parse(text));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.denials[Symbol.dispose]();
    await this.#ledger[Symbol.asyncDispose]();
  }
}

async function load(
  kept: Kept,
  ledger: Fixture['ledger'],
  options: { readonly most?: number },
  make: (kept: Kept, denials: Denials, ledger: Fixture['ledger']) => DenialStage,
): Promise<DenialStage> {
  const { at, fixture, notes, alerts, history, connected } = kept;
  const place = { vault: fixture.vault, ledger };
  const highWater = await HighWater.load(place);
  const clock = new AdminClock({
    highWater: highWater.atStart,
    onStep: () => undefined,
    wall: () => at.wall,
    ticks: () => at.ticks,
  });
  const journal: Journal = {
    draftNote: (action, fields) => ({
      trail: randomBytes(16).toString('hex'),
      record: JSON.stringify({ action, ...fields }),
    }),
    appendCommitted: async ({ record }) => {
      notes.push(JSON.parse(record) as Record<string, unknown>);
      return Promise.resolve();
    },
  };
  const denials = await Denials.load({
    ...place,
    ...options,
    time: {
      clock,
      commit: async (prepared, origin = {}) =>
        await commitPrepared(ledger, [...prepared, highWater.prepare(clock)], origin, []),
    },
    roles: RoleBook.ofOne(TrustDomain.parse('spike.ist')),
    alerts: { raise: (alert) => void alerts.push(alert) },
    cut: (isMeant) => {
      kept.onCut();
      return connected.filter(isMeant).length;
    },
    journal,
    history: { note: (kind) => void history.push(kind) },
    wall: () => at.wall,
  });
  return make(kept, denials, ledger);
}
