import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../vault/testing/instance.ts';
import { approvalLimits } from './book.ts';
import type { ApprovalWish } from './port.ts';
import { ApprovalStage, holder, minute, wish } from './testing/stage.ts';

test('the holders of a threshold of shares approve, and the approval works once', () => {
  const stage = new ApprovalStage();
  assert.throws(() => stage.book.require(wish), hasCode('approval_required'));
  const id = stage.ask();
  assert.match(id, /^reset-password-[a-z2-7]{16}$/);
  assert.equal(stage.book.consume(wish), false);
  assert.equal(stage.answer(id, 3).approval.state, 'waiting');
  assert.throws(() => stage.book.require(wish), hasCode('approval_required'));
  const { approval } = stage.answer(id, 1);
  assert.deepEqual([approval.state, approval.answered], ['approved', [1, 3]]);
  stage.book.require(wish);
  assert.throws(() => stage.book.require(wish), hasCode('approval_required'), 'it was used');
  assert.notEqual(stage.ask(), id);
  assert.throws(() => stage.book.get(id), hasCode('api_not_found'));
  assert.deepEqual(stage.alerts, []);
});

test('whoever asks is told what the holders have to type, and who has', () => {
  const stage = new ApprovalStage();
  const id = stage.ask();
  const said = (): string => {
    try {
      stage.book.require(wish);
      return '';
    } catch (thrown) {
      return thrown instanceof Error ? thrown.message : '';
    }
  };
  assert.ok(
    said().includes(`2 of the 3 recovery shares have to approve this before 2026-05-01T12:15:00.000Z:`),
  );
  assert.ok(said().includes(`spike approve ${id}`));
  stage.answer(id, 2);
  assert.ok(said().includes('(1 of them did)'));
});

test('a share counts once, however often it answers', () => {
  const stage = new ApprovalStage();
  const id = stage.ask();
  assert.equal(stage.answer(id, 2).repeated, false);
  const again = stage.answer(id, 2);
  assert.deepEqual([again.repeated, again.approval.state, again.approval.answered], [true, 'waiting', [2]]);
});

test('it is good for exactly the action, the target and the one who asked', () => {
  const stage = new ApprovalStage();
  const id = stage.ask();
  stage.answer(id, 1);
  stage.answer(id, 2);
  const others: readonly ApprovalWish[] = [
    { ...wish, kind: 'reset' },
    { ...wish, target: 'bob' },
    { ...wish, by: `${holder}/other` },
  ];
  for (const other of others) {
    assert.equal(stage.book.consume(other), false);
    assert.throws(() => stage.book.require(other), hasCode('approval_required'));
  }
  assert.equal(stage.book.consume(wish), true);
});

test('an answer to one approval is none to another, nor to one of the same that is asked again', () => {
  const stage = new ApprovalStage();
  const id = stage.ask();
  const recorded = stage.make(1, stage.book.get(id).challenge);
  const send = (to: string): unknown =>
    stage.book.answer({ id: to, share: 1, answer: recorded, spiffeId: holder });
  const other = stage.ask({ ...wish, target: 'bob' });
  assert.throws(() => send(other), hasCode('shamir_reconstruction_failed'));
  send(id);
  stage.answer(id, 2);
  stage.book.require(wish);
  const next = stage.ask();
  assert.throws(() => send(next), hasCode('shamir_reconstruction_failed'));
  assert.equal(stage.book.get(next).approval.state, 'waiting');
});

test('no two approvals have the same letters or the same random bytes', () => {
  const stage = new ApprovalStage();
  const challenges = ['alice', 'bob', 'carol'].map(
    (target) => stage.book.get(stage.ask({ ...wish, target })).challenge,
  );
  assert.equal(new Set(challenges.map(({ id }) => id)).size, 3);
  assert.equal(new Set(challenges.map(({ nonce }) => Buffer.from(nonce).toString('hex'))).size, 3);
});

test('a wrong share, a wrong number, another generation and a short answer are named, counted and told', () => {
  const stage = new ApprovalStage();
  const id = stage.ask();
  const { challenge } = stage.book.get(id);
  const right = stage.make(1, challenge);
  const wrong = [
    { share: 2, answer: right },
    { share: 4, answer: right },
    { share: 1, answer: stage.make(1, challenge, stage.generation + 1) },
    { share: 1, answer: right.subarray(0, 31) },
  ];
  for (const [index, { share, answer }] of wrong.entries()) {
    assert.throws(
      () => stage.book.answer({ id, share, answer, spiffeId: `${holder}/${index}` }),
      hasCode('shamir_reconstruction_failed'),
    );
    assert.equal(stage.book.get(id).approval.wrong, index + 1);
    assert.equal(stage.alerts[index]?.kind, 'keeper_bad_share');
    assert.equal(stage.alerts[index]?.subject, `share ${share}`);
  }
  assert.deepEqual(stage.book.get(id).approval.answered, []);
  stage.book.answer({ id, share: 1, answer: right, spiffeId: holder });
  assert.deepEqual(stage.book.get(id).approval.answered, [1]);
});

test('wrong answers from one SPIFFE ID keep that one out and nobody else, and many of all end the approval', () => {
  const stage = new ApprovalStage();
  const id = stage.ask();
  const { mostWrong, mostWrongOfOne } = approvalLimits;
  for (let count = 0; count < mostWrongOfOne; count++)
    assert.throws(() => stage.answerWrongly(id, 1), hasCode('shamir_reconstruction_failed'));
  assert.throws(() => stage.answer(id, 1), hasCode('limit_exceeded'));
  assert.equal(stage.answer(id, 1, `${holder}/ann`).approval.state, 'waiting');
  for (let count = mostWrongOfOne; count < mostWrong; count++)
    assert.throws(
      () => stage.answerWrongly(id, 1, `${holder}/${count}`),
      hasCode('shamir_reconstruction_failed'),
    );
  assert.throws(() => stage.answer(id, 2, `${holder}/bob`), hasCode('api_not_found'));
});

test('answers have to come within 15 minutes, and the deed within 10 of the last one', () => {
  const stage = new ApprovalStage();
  const late = stage.ask();
  stage.answer(late, 1);
  stage.pass(15 * minute - 1);
  assert.equal(stage.book.get(late).approval.state, 'waiting');
  stage.pass(1);
  assert.throws(() => stage.answer(late, 2), hasCode('api_not_found'));
  const id = stage.ask();
  stage.answer(id, 1);
  stage.pass(14 * minute);
  stage.answer(id, 2);
  stage.pass(10 * minute - 1);
  assert.equal(stage.book.get(id).approval.state, 'approved');
  stage.pass(1);
  assert.equal(stage.book.consume(wish), false);
});

test('a wall clock that is set extends nothing', () => {
  const stage = new ApprovalStage();
  const id = stage.ask();
  stage.at.wall -= 365 * 24 * 60 * minute;
  stage.at.ticks += 15 * minute;
  assert.throws(() => stage.book.get(id), hasCode('api_not_found'));
  const next = stage.ask();
  stage.at.wall += 365 * 24 * 60 * minute;
  assert.equal(stage.book.get(next).approval.state, 'waiting');
});

test('so many may be asked for and no more, by one and by all; room comes with time', () => {
  const stage = new ApprovalStage();
  const of = (by: number, target: number): ApprovalWish => ({
    ...wish,
    by: `${holder}/${by}`,
    target: `u${target}`,
  });
  const { mostOpen, mostOfOne } = approvalLimits;
  for (let by = 0; by < mostOpen / mostOfOne; by++) {
    for (let target = 0; target < mostOfOne; target++) stage.ask(of(by, target));
    assert.throws(() => stage.book.require(of(by, mostOfOne)), hasCode('limit_exceeded'));
    assert.throws(
      () => stage.book.require(of(by, 0)),
      hasCode('approval_required'),
      'that one waits already',
    );
  }
  assert.equal(stage.book.list().length, mostOpen);
  assert.throws(() => stage.book.require(of(mostOpen, 0)), hasCode('limit_exceeded'));
  stage.pass(15 * minute);
  assert.deepEqual(stage.book.list(), []);
  stage.ask(of(mostOpen, 0));
});

test('one share is enough where one is the threshold', () => {
  const stage = new ApprovalStage({ threshold: 1, count: 1 });
  stage.answer(stage.ask(), 1);
  stage.book.require(wish);
});
