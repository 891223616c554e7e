import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { AdminClock } from './clock.ts';
import { createTicks } from './ticks.ts';

const year = 365 * 86_400_000;
const start = Date.parse('2026-05-01T00:00:00Z');

function stage(highWater = 0) {
  const at = { wall: start, ticks: 500 };
  const steps: number[] = [];
  const clock = new AdminClock({
    highWater,
    onStep: (step) => steps.push(step),
    wall: () => at.wall,
    ticks: () => at.ticks,
  });
  const pass = (ms: number): void => {
    at.wall += ms;
    at.ticks += ms;
  };
  return { at, steps, clock, pass };
}

test('the clock follows the monotonic one, and a jump of the wall clock changes nothing but is told once', () => {
  for (const step of [-year, -3_600_000, -5_001, 5_001, 3_600_000, year]) {
    const { at, steps, clock, pass } = stage();
    assert.equal(clock.now(), start);
    pass(1_000);
    at.wall += step;
    assert.equal(clock.now(), start + 1_000);
    pass(1_000);
    assert.equal(clock.now(), start + 2_000);
    assert.deepEqual(steps, [step]);
    assert.equal(
      clock.toWall(start + 10_000),
      start + 10_000 + step,
      'people are told what their clock will say',
    );
  }
});

test('small corrections are not told, even if many of them make a large one', () => {
  const { at, steps, clock, pass } = stage();
  for (let count = 0; count < 1_000; count++) {
    pass(10_000);
    at.wall -= 400;
    clock.now();
  }
  assert.deepEqual(steps, []);
});

test('a start with a wall clock behind the stored time goes on from there and tells', () => {
  const { steps, clock, pass } = stage(start + year);
  assert.equal(clock.now(), start + year);
  pass(5);
  assert.equal(clock.now(), start + year + 5);
  assert.deepEqual(steps, [-year]);
  const behind = stage(start - year);
  assert.equal(behind.clock.now(), start);
  assert.deepEqual(behind.steps, []);
});

test('the clock never goes back, over restarts with any wall clock', () => {
  const move = fc.record({
    pass: fc.integer({ min: 0, max: 100_000 }),
    jump: fc.integer({ min: -year, max: year }),
    restart: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(move, { maxLength: 40 }), (moves) => {
      let { at, clock, pass } = stage();
      let last = clock.now();
      for (const { pass: ms, jump, restart } of moves) {
        pass(ms);
        at.wall += jump;
        if (restart) {
          clock.stored(clock.now());
          const next = stage(clock.highWater);
          next.at.wall = at.wall;
          ({ at, clock, pass } = next);
        }
        const now = clock.now();
        assert.ok(now >= last);
        last = now;
      }
    }),
  );
});

test('the time in which the machine slept counts', () => {
  let steady = 100;
  let sinceBoot = 50_000;
  const ticks = createTicks(
    () => steady,
    () => sinceBoot,
  );
  assert.equal(ticks(), 100);
  steady += 10;
  sinceBoot += 10;
  assert.equal(ticks(), 110);
  sinceBoot += 3_600_000;
  assert.equal(ticks(), 3_600_110);
  steady += 5;
  sinceBoot += 5;
  assert.equal(ticks(), 3_600_115);
});
