import { minute } from '../../admin/testing/stage.ts';

/** Of the recovery shares. */
export const split = { threshold: 2, count: 3 } as const;

/** Wrong answers to one approval, from one SPIFFE ID. */
const mostWrong = 5;

export interface Approval {
  /** Whose password is lost. */
  readonly name: string;
  /** Who asked. */
  readonly by: string;
  ends: number;
  isApproved: boolean;
  readonly answered: Set<number>;
  /** Wrong answers by where they came from. */
  readonly wrong: Map<string, number>;
}

/** What a holder sends. */
export interface Sent {
  readonly share: number;
  readonly isRight: boolean;
  readonly from: string;
}

export type AnswerCode = 'ok' | 'api_not_found' | 'limit_exceeded' | 'shamir_reconstruction_failed';

/** What waits for holders of recovery shares; a restart ends it all. */
export class Approvals {
  #all: Approval[] = [];

  /** Oldest first. */
  list(now: number): readonly Approval[] {
    this.#all = this.#all.filter(({ ends }) => now < ends);
    return this.#all;
  }

  /** Whether this was approved, which it is no more then; else it waits from now on. */
  use(name: string, by: string, now: number): boolean {
    const found = this.list(now).find((one) => one.name === name && one.by === by);
    if (found?.isApproved === true) {
      this.#all = this.#all.filter((one) => one !== found);
      return true;
    }
    const ends = now + 15 * minute;
    if (found === undefined)
      this.#all.push({ name, by, ends, isApproved: false, answered: new Set(), wrong: new Map() });
    return false;
  }

  answer(approval: Approval | undefined, { share, isRight, from }: Sent, now: number): AnswerCode {
    if (approval === undefined || !this.list(now).includes(approval)) return 'api_not_found';
    const { wrong, answered } = approval;
    const before = wrong.get(from) ?? 0;
    if (before >= mostWrong) return 'limit_exceeded';
    if (!isRight) {
      wrong.set(from, before + 1);
      return 'shamir_reconstruction_failed';
    }
    answered.add(share);
    if (!approval.isApproved && answered.size >= split.threshold) {
      approval.isApproved = true;
      approval.ends = now + 10 * minute;
    }
    return 'ok';
  }
}
