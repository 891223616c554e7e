import { randomBytes, timingSafeEqual } from 'node:crypto';
import { answerChallenge, type ApprovalChallenge } from '@spike/crypto';
import { SpikeError, untilLater } from '@spike/error';
import { toBase32 } from '../admin/base32.ts';
import { createTicks, type Ticks } from '../admin/ticks.ts';
import type { Split } from '../vault/manifest.ts';
import { approvalKinds } from './kind.ts';
import type { ApprovalPort, ApprovalWish, EmergencyAlerts } from './port.ts';

export const approvalLimits = {
  /** From the asking on, the answers have to come. */
  answerMs: 15 * 60_000,
  /** From the last answer that it takes, the deed has to be done. */
  useMs: 10 * 60_000,
  mostOpen: 50,
  /** Of one who asks. */
  mostOfOne: 5,
  /** Wrong answers from one SPIFFE ID; then none of its answers is looked at. */
  mostWrongOfOne: 5,
  /** Wrong answers of all; then the approval is dropped. */
  mostWrong: 50,
} as const;

/** What is shown of an approval. Times are milliseconds since 1970, of the wall clock. */
export interface ApprovalView extends ApprovalWish {
  readonly id: string;
  readonly state: 'waiting' | 'approved';
  readonly threshold: number;
  readonly count: number;
  /** Shares that have answered, by number. */
  readonly answered: readonly number[];
  readonly wrong: number;
  readonly openedAt: number;
  readonly expiresAt: number;
}

/** What a holder's Pilot makes the answer of, besides the share. */
export interface AskedChallenge extends ApprovalChallenge {
  readonly generation: number;
}

export interface Answer {
  readonly id: string;
  readonly share: number;
  readonly answer: Uint8Array;
  /** Where it comes from. */
  readonly spiffeId: string;
}

export interface ApprovalBookOptions {
  /** Of the recovery shares. */
  readonly split: Pick<Split, 'instance' | 'generation' | 'threshold' | 'count' | 'shareOf'>;
  readonly alerts: EmergencyAlerts;
  readonly ticks?: Ticks;
  readonly wall?: () => number;
}

interface Approval {
  readonly wish: ApprovalWish;
  readonly challenge: ApprovalChallenge;
  readonly openedAt: number;
  expiresAt: number;
  /** The same two by ticks, which no clock can be set back or forth. */
  endsAt: number;
  approved: boolean;
  readonly answered: Set<number>;
  /** Wrong answers by the SPIFFE ID that they came from. */
  readonly wrong: Map<string, number>;
}

const nonceBytes = 32;

/**
 * Approvals by recovery shares (admin.md H1), which never come here: a holder answers a challenge with what only his
 * share makes of it, and Nexus, which can make the shares itself, compares. In memory alone, so a restart ends them all.
 */
export class ApprovalBook implements ApprovalPort {
  readonly #options: ApprovalBookOptions;
  readonly #ticks: Ticks;
  readonly #wall: () => number;
  /** In the order of asking. */
  readonly #approvals = new Map<string, Approval>();

  constructor(options: ApprovalBookOptions) {
    this.#options = options;
    this.#ticks = options.ticks ?? createTicks();
    this.#wall = options.wall ?? Date.now;
  }

  require(wish: ApprovalWish): void {
    this.demand(wish);
    this.consume(wish);
  }

  demand(wish: ApprovalWish): void {
    if (this.#find(wish)?.approved === true) return;
    const { threshold, count } = this.#options.split;
    const { id, answered, expiresAt } = this.#view(this.#find(wish) ?? this.#open(wish));
    const sofar = answered.length === 0 ? '' : ` (${answered.length} of them did)`;
    throw new SpikeError(
      'approval_required',
      `the holders of ${threshold} of the ${count} recovery shares have to approve this before ${toTime(expiresAt)}${sofar}: ` +
        `each types spike approve ${id}; then give this command again`,
      { detail: { approval: id } },
    );
  }

  consume(wish: ApprovalWish): boolean {
    const found = this.#find(wish);
    if (found?.approved !== true) return false;
    return this.#approvals.delete(found.challenge.id);
  }

  /** Oldest first. */
  list(): readonly ApprovalView[] {
    this.#sweep();
    return [...this.#approvals.values()].map((approval) => this.#view(approval));
  }

  /** Throws SpikeError `api_not_found`. */
  get(id: string): { readonly approval: ApprovalView; readonly challenge: AskedChallenge } {
    const approval = this.#get(id);
    const { generation } = this.#options.split;
    return { approval: this.#view(approval), challenge: { ...approval.challenge, generation } };
  }

  /**
   * Counts a share that answers rightly, once. Throws SpikeError `shamir_reconstruction_failed` for a wrong answer,
   * `limit_exceeded` for one more from where too many came, and `api_not_found`.
   */
  answer({ id, share, answer, spiffeId }: Answer): {
    readonly approval: ApprovalView;
    readonly repeated: boolean;
  } {
    const approval = this.#get(id);
    if ((approval.wrong.get(spiffeId) ?? 0) >= approvalLimits.mostWrongOfOne)
      throw new SpikeError('limit_exceeded', 'too many wrong answers came from this SPIFFE ID', untilLater);
    if (!this.#isRight(approval, share, answer)) this.#refuse(approval, share, spiffeId);
    const repeated = approval.answered.has(share);
    approval.answered.add(share);
    if (!approval.approved && approval.answered.size >= this.#options.split.threshold) {
      approval.approved = true;
      approval.endsAt = this.#ticks() + approvalLimits.useMs;
      approval.expiresAt = this.#wall() + approvalLimits.useMs;
    }
    return { approval: this.#view(approval), repeated };
  }

  #isRight({ challenge }: Approval, id: number, answer: Uint8Array): boolean {
    const { split } = this.#options;
    // The numbers of the shares are known to everybody; an answer of a wrong length is none.
    if (!Number.isInteger(id) || id < 1 || id > split.count) return false;
    using share = split.shareOf(id);
    const right = answerChallenge(share, split.generation, challenge);
    return answer.length === right.length && timingSafeEqual(answer, right);
  }

  #refuse(approval: Approval, share: number, spiffeId: string): never {
    const { challenge, wrong, wish } = approval;
    wrong.set(spiffeId, (wrong.get(spiffeId) ?? 0) + 1);
    const count = sum(wrong.values());
    if (count >= approvalLimits.mostWrong) this.#approvals.delete(challenge.id);
    this.#options.alerts.raise({
      kind: 'keeper_bad_share',
      subject: `share ${share}`,
      message: `an approval was answered with something else than recovery share ${share}`,
      detail: { approval: challenge.id, kind: wish.kind, share, spiffeId, wrong: count },
    });
    throw new SpikeError(
      'shamir_reconstruction_failed',
      `this is not recovery share ${share} of this instance; nothing was approved`,
      { detail: { share, wrong: count } },
    );
  }

  #open(wish: ApprovalWish): Approval {
    const own = [...this.#approvals.values()].filter(({ wish: { by } }) => by === wish.by);
    if (own.length >= approvalLimits.mostOfOne || this.#approvals.size >= approvalLimits.mostOpen)
      throw new SpikeError(
        'limit_exceeded',
        'too many approvals wait already: have them approved, or wait until they are over (spike approve list)',
        untilLater,
      );
    const openedAt = this.#wall();
    const expiresAt = openedAt + approvalLimits.answerMs;
    const challenge = {
      ...wish,
      id: `${wish.kind}-${toBase32(randomBytes(10))}`,
      instance: this.#options.split.instance,
      expiresAt: toTime(expiresAt),
      nonce: Uint8Array.from(randomBytes(nonceBytes)),
    };
    const approval = {
      wish,
      challenge,
      openedAt,
      expiresAt,
      endsAt: this.#ticks() + approvalLimits.answerMs,
      approved: false,
      answered: new Set<number>(),
      wrong: new Map<string, number>(),
    };
    this.#approvals.set(challenge.id, approval);
    return approval;
  }

  #find({ kind, target, by }: ApprovalWish): Approval | undefined {
    this.#sweep();
    return this.#approvals
      .values()
      .find(({ wish }) => wish.kind === kind && wish.target === target && wish.by === by);
  }

  #get(id: string): Approval {
    this.#sweep();
    const approval = this.#approvals.get(id);
    if (approval !== undefined) return approval;
    throw new SpikeError(
      'api_not_found',
      'there is no such approval: it is over, was used, or Nexus was started anew since (spike approve list)',
    );
  }

  #sweep(): void {
    const now = this.#ticks();
    for (const [id, { endsAt }] of this.#approvals) if (now >= endsAt) this.#approvals.delete(id);
  }

  #view({ wish, challenge, openedAt, expiresAt, approved, answered, wrong }: Approval): ApprovalView {
    const { threshold, count } = this.#options.split;
    return {
      ...wish,
      id: challenge.id,
      state: approved ? 'approved' : 'waiting',
      threshold,
      count,
      answered: [...answered].toSorted((a, b) => a - b),
      wrong: sum(wrong.values()),
      openedAt,
      expiresAt,
    };
  }
}

/** What a kind lets somebody do, for people. */
export function saysOf({ kind }: ApprovalWish): string {
  return approvalKinds[kind].says;
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}

function toTime(ms: number): string {
  return new Date(ms).toISOString();
}
