import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Intake, type Arrival } from './intake.ts';

const KiB = 1024;

/** A body on its way that notes what becomes of it. */
function arrive(): Arrival & { readonly code: () => string | undefined } {
  let code: string | undefined;
  return {
    refuse: (error) => {
      code = error.code;
    },
    code: () => code,
  };
}

test('the body that is on its way for longest is refused when too much is, and the others go on', () => {
  const intake = new Intake(100 * KiB);
  const [first, second, third] = [arrive(), arrive(), arrive()];
  intake.note(first, 40 * KiB);
  intake.note(second, 40 * KiB);
  intake.note(first, 50 * KiB);
  assert.equal(intake.bytes, 90 * KiB);
  intake.note(third, 40 * KiB);
  assert.deepEqual([first.code(), second.code(), third.code()], ['limit_exceeded', undefined, undefined]);
  assert.equal(intake.bytes, 80 * KiB);
  intake.done(first);
  intake.done(second);
  intake.done(third);
  assert.equal(intake.bytes, 0);
});

test('small bodies are not counted', () => {
  const intake = new Intake(1);
  const small = arrive();
  intake.note(small, 16 * KiB - 1);
  intake.done(small);
  assert.deepEqual([intake.bytes, small.code()], [0, undefined]);
});
