import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { StaticSource, TestDomain } from '@spike/spiffe/testing';
import { IdentityGuard, type GuardTiming } from './guard.ts';
import { IdentityTerm } from './term.ts';

/** None of them ends within a test unless it says so. */
const never = 3_600_000;
const patient: GuardTiming = { recordMs: never, askMs: never, confirmMs: never, lookMs: never };

interface Script {
  readonly timing: Partial<GuardTiming>;
  readonly record?: () => Promise<void>;
  readonly confirm?: (signal: AbortSignal) => Promise<boolean>;
  readonly graceMs?: number;
}

function open(t: TestContext, { timing, record, confirm, graceMs }: Script) {
  const domain = new TestDomain('spike.ist');
  const issue = () => domain.issue('/spike/nexus', { lifetimeMs: never });
  const source = new StaticSource(issue(), domain.bundles);
  const time = { ticks: 0 };
  const term = new IdentityTerm({ source, graceMs, ticks: () => time.ticks });
  const stop = new AbortController();
  const steps: string[] = [];
  const outcome = Promise.withResolvers<void>();
  const end = (step: string): void => {
    steps.push(step);
    outcome.resolve();
  };
  const guard = new IdentityGuard({
    source,
    term,
    cut: ({ reason }) => void steps.push(`cut ${reason}`),
    record: async () => {
      steps.push('record');
      await (record ?? (() => Promise.resolve()))();
    },
    confirm: async (signal) => {
      steps.push('ask');
      return await (confirm ?? (() => Promise.resolve(true)))(signal);
    },
    returned: () => end('returned'),
    replace: () => end('replace'),
    signal: stop.signal,
    timing: { ...patient, ...timing },
  });
  t.after(() => guard[Symbol.dispose]());
  const give = (): void => source.set(issue(), domain.bundles);
  return { source, guard, steps, outcome: outcome.promise, give, time, stop };
}

test('an identity that is taken away cuts everything in the same turn, and goes when the agent says so again', async (t) => {
  const { source, steps, outcome } = open(t, { timing: { askMs: 0 } });
  source.withdraw();
  assert.deepEqual(steps, ['cut permission_denied', 'record']);
  await outcome;
  assert.deepEqual(steps, ['cut permission_denied', 'record', 'ask', 'replace']);
});

test('a record that is not written in time and an agent that does not answer hold nothing up', async (t) => {
  const hang = () => new Promise<never>(() => undefined);
  const { source, steps, outcome } = open(t, {
    timing: { recordMs: 10, askMs: 20, confirmMs: 40 },
    record: hang,
    confirm: hang,
  });
  source.withdraw();
  await outcome;
  assert.equal(steps.at(-1), 'replace');
});

test('a mistake that is corrected in time keeps the keys, and the next loss is followed like the first', async (t) => {
  const { source, steps, outcome, give } = open(t, {
    timing: { askMs: 5 },
    confirm: () => Promise.resolve(false),
  });
  source.withdraw();
  give();
  await outcome;
  assert.deepEqual(steps, ['cut permission_denied', 'record', 'returned']);
  source.withdraw();
  assert.equal(steps.filter((step) => step.startsWith('cut')).length, 2);
});

test('what another connection is told is no identity: without one of its own it goes at the end of the time', async (t) => {
  const { source, steps, outcome } = open(t, {
    timing: { askMs: 0, confirmMs: 30 },
    confirm: () => Promise.resolve(false),
  });
  source.withdraw();
  await outcome;
  assert.deepEqual(steps, ['cut permission_denied', 'record', 'ask', 'replace']);
});

test('an identity that comes back and is taken away again within the time is gone', async (t) => {
  const { source, steps, outcome, give } = open(t, { timing: { askMs: 20 } });
  source.withdraw();
  give();
  source.withdraw();
  await outcome;
  assert.equal(steps.at(-1), 'replace');
});

test('a grace that is over is found out without being told, and nobody is asked', async (t) => {
  const { source, guard, steps, outcome, time } = open(t, { timing: { askMs: 0 }, graceMs: 1_000 });
  source.unreachable();
  time.ticks = 999;
  guard.look();
  assert.deepEqual(steps, []);
  time.ticks = 1_000;
  guard.look();
  assert.deepEqual(steps, ['cut grace_over', 'record']);
  await outcome;
  assert.deepEqual(steps, ['cut grace_over', 'record', 'replace']);
});

test('a loss before there was a guard is one, too', async () => {
  const domain = new TestDomain('spike.ist');
  const source = new StaticSource(domain.issue('/spike/nexus', {}), domain.bundles);
  source.withdraw();
  const later: string[] = [];
  const outcome = Promise.withResolvers<void>();
  using _guard = new IdentityGuard({
    source,
    term: new IdentityTerm({ source, graceMs: undefined }),
    cut: ({ reason }) => void later.push(reason),
    record: () => Promise.resolve(),
    confirm: () => Promise.resolve(true),
    returned: () => undefined,
    replace: () => outcome.resolve(),
    signal: new AbortController().signal,
    timing: { askMs: 0 },
  });
  assert.deepEqual(later, ['absent']);
  await outcome.promise;
});

test('a process that is told to stop meanwhile ends as usual', async (t) => {
  const { source, steps, stop } = open(t, { timing: {} });
  source.withdraw();
  stop.abort();
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  assert.deepEqual(steps, ['cut permission_denied', 'record']);
});
