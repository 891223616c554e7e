import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpikeError } from '@spike/error';
import { approvalLimits } from './book.ts';
import type { ApprovalWish } from './port.ts';
import { ApprovalStage, holder, minute } from './testing/stage.ts';

/* What approvals do, compared with a few lines that say what they should do. */

interface Expected {
  readonly id: string;
  readonly asked: number;
  approved: number | undefined;
  readonly answered: Set<number>;
  readonly wrong: Map<string, number>;
}

interface Model {
  now: number;
  /** By what is wanted, in the order of asking. */
  readonly open: Map<string, Expected>;
}

interface Real {
  readonly stage: ApprovalStage;
  /** Answers that somebody overheard. */
  readonly overheard: Uint8Array[];
}

const threshold = 2;
const wishes: readonly ApprovalWish[] = [
  { kind: 'reset-password', target: 'alice', by: holder },
  { kind: 'reset-password', target: 'bob', by: holder },
  { kind: 'reset', target: 'alice', by: 'admin' },
];
const wished = fc.constantFrom(...wishes);
const shareId = fc.integer({ min: 1, max: 4 });
const from = fc.constantFrom(holder, `${holder}/ann`);
const keyOf = (wish: ApprovalWish): string => JSON.stringify(wish);

function sweep(model: Model): void {
  for (const [key, { asked, approved }] of model.open) {
    const ends = approved === undefined ? asked + approvalLimits.answerMs : approved + approvalLimits.useMs;
    if (model.now >= ends) model.open.delete(key);
  }
}

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'ok';
  } catch (thrown) {
    assert(thrown instanceof SpikeError);
    return thrown.code;
  }
}

type Step = fc.Command<Model, Real>;

function command(name: string, run: (model: Model, real: Real) => void): Step {
  return {
    check: () => true,
    run: (model, real) => {
      sweep(model);
      run(model, real);
      const shown = real.stage.book.list().map(({ id, state, answered }) => [id, state, [...answered]]);
      const expected = [...model.open.values()].map(({ id, approved, answered }) => [
        id,
        approved === undefined ? 'waiting' : 'approved',
        [...answered].toSorted((a, b) => a - b),
      ]);
      assert.deepEqual(shown, expected);
    },
    toString: () => name,
  };
}

const ask = (wish: ApprovalWish): Step =>
  command(`ask ${wish.kind} ${wish.target}`, (model, { stage }) => {
    const expected = model.open.get(keyOf(wish));
    const code = codeOf(() => stage.book.require(wish));
    if (expected?.approved !== undefined) {
      assert.equal(code, 'ok');
      model.open.delete(keyOf(wish));
      return;
    }
    assert.equal(code, 'approval_required');
    if (expected !== undefined) return;
    const id = stage.book.list().at(-1)?.id ?? '';
    model.open.set(keyOf(wish), {
      id,
      asked: model.now,
      approved: undefined,
      answered: new Set(),
      wrong: new Map(),
    });
  });

const answer = (
  wish: ApprovalWish,
  share: number,
  spiffeId: string,
  how: 'right' | 'wrong' | 'replayed',
): Step =>
  command(`answer ${how} ${wish.kind} ${wish.target} ${share} ${spiffeId}`, (model, { stage, overheard }) => {
    const expected = model.open.get(keyOf(wish));
    if (expected === undefined) return;
    const { id, wrong, answered } = expected;
    const right = stage.make(share, stage.book.get(id).challenge);
    const old = overheard.at(-1);
    const sent =
      how === 'right' ? right : how === 'replayed' && old !== undefined ? old : Buffer.alloc(32, 1);
    const isRight = Buffer.compare(sent, right) === 0 && share <= 3;
    const code = codeOf(() => stage.book.answer({ id, share, answer: sent, spiffeId }));
    const before = wrong.get(spiffeId) ?? 0;
    if (before >= approvalLimits.mostWrongOfOne) {
      assert.equal(code, 'limit_exceeded');
    } else if (!isRight) {
      assert.equal(code, 'shamir_reconstruction_failed');
      wrong.set(spiffeId, before + 1);
    } else {
      assert.equal(code, 'ok');
      answered.add(share);
      if (answered.size >= threshold) expected.approved ??= model.now;
      overheard.push(right);
    }
  });

const pass = (minutes: number): Step =>
  command(`pass ${minutes} min`, (model, { stage }) => {
    stage.pass(minutes * minute);
    model.now += minutes * minute;
    sweep(model);
  });

test('approvals do what a few lines say that they should do, in any order', () => {
  const how = fc.constantFrom('right' as const, 'right' as const, 'wrong' as const, 'replayed' as const);
  const steps = fc.commands(
    [
      wished.map(ask),
      fc.tuple(wished, shareId, from, how).map((args) => answer(...args)),
      fc.integer({ min: 1, max: 16 }).map(pass),
    ],
    { maxCommands: 60, size: 'max' },
  );
  fc.assert(
    fc.property(steps, (commands) => {
      fc.modelRun(() => {
        const stage = new ApprovalStage({ threshold, count: 3 });
        return { model: { now: 0, open: new Map() }, real: { stage, overheard: [] } };
      }, commands);
    }),
    { numRuns: 100 },
  );
});
