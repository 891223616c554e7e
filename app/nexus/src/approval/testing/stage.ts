import { answerChallenge, Polynomial, RootKey } from '@spike/crypto';
import { ApprovalBook, type AskedChallenge } from '../book.ts';
import type { ApprovalWish, EmergencyAlert } from '../port.ts';

export const holder = 'spiffe://spike.ist/spike/pilot/role/recover';
export const minute = 60_000;
export const wish: ApprovalWish = { kind: 'reset-password', target: 'alice', by: holder };

/** Recovery shares (2 of 3 unless told) and the approvals that they give, under clocks that move when they are told to. */
export class ApprovalStage {
  readonly at = { wall: Date.parse('2026-05-01T12:00:00Z'), ticks: 1_000 };
  readonly alerts: EmergencyAlert[] = [];
  readonly book: ApprovalBook;
  readonly #polynomial: Polynomial;
  readonly generation: number;

  constructor({ threshold = 2, count = 3, generation = 4 } = {}) {
    using rootKey = RootKey.generate();
    const polynomial = Polynomial.random(rootKey, threshold);
    this.#polynomial = polynomial;
    this.generation = generation;
    this.book = new ApprovalBook({
      split: {
        instance: 'instance-1',
        generation,
        threshold,
        count,
        shareOf: (id) => polynomial.share(id),
      },
      alerts: { raise: (alert) => void this.alerts.push(alert) },
      ticks: () => this.at.ticks,
      wall: () => this.at.wall,
    });
  }

  pass(ms: number): void {
    this.at.wall += ms;
    this.at.ticks += ms;
  }

  /** Asks, and answers the id of what then waits. */
  ask(asked: ApprovalWish = wish): string {
    try {
      this.book.require(asked);
    } catch {
      const found = this.book
        .list()
        .find(({ kind, target, by }) => kind === asked.kind && target === asked.target && by === asked.by);
      if (found !== undefined) return found.id;
    }
    throw new Error('nothing waits');
  }

  /** What the Pilot of a holder makes of his share and of what he was asked. */
  make(share: number, challenge: AskedChallenge, generation = this.generation): Uint8Array {
    using own = this.#polynomial.share(share);
    return answerChallenge(own, generation, challenge);
  }

  answer(id: string, share: number, spiffeId = holder): ReturnType<ApprovalBook['answer']> {
    const answer = this.make(share, this.book.get(id).challenge);
    return this.book.answer({ id, share, answer, spiffeId });
  }

  answerWrongly(id: string, share: number, spiffeId = holder): ReturnType<ApprovalBook['answer']> {
    return this.book.answer({ id, share, answer: Buffer.alloc(32, 9), spiffeId });
  }
}
