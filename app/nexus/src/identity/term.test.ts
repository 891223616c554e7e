import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { StaticSource, TestDomain } from '@spike/spiffe/testing';
import { IdentityTerm } from './term.ts';

const lifetimeMs = 3_600_000;
const graceMs = 60_000;
const start = Date.parse('2030-01-01T00:00:00Z');

function open(t: TestContext, grace?: number) {
  t.mock.timers.enable({ apis: ['Date'], now: start });
  const domain = new TestDomain('spike.ist');
  const issue = () => domain.issue('/spike/nexus', { lifetimeMs });
  const source = new StaticSource(issue(), domain.bundles);
  const time = { ticks: 5 };
  const term = new IdentityTerm({ source, graceMs: grace, ticks: () => time.ticks });
  /** Time goes on, and the wall clock is set besides. */
  const pass = (ms: number, setMs = 0): void => {
    time.ticks += ms;
    t.mock.timers.setTime(Date.now() + ms + setMs);
  };
  return { source, term, pass, renew: () => source.set(issue(), domain.bundles) };
}

test('without an agent it serves until the SVID ends, however far the clock is set', (t) => {
  const { source, term, pass } = open(t);
  const notAfter = source.current().svid.notAfter.getTime();
  source.unreachable();
  pass(lifetimeMs / 2);
  assert.deepEqual([term.ended, term.until()], [undefined, notAfter]);
  pass(0, lifetimeMs);
  assert.deepEqual([term.ended, term.until()], ['expired', undefined]);
  pass(0, -lifetimeMs);
  assert.deepEqual([term.ended, term.until()], [undefined, notAfter]);
});

test('an SVID that ends while the agent is there and gives none is over, too', (t) => {
  const { term, pass, renew } = open(t, graceMs);
  pass(lifetimeMs + 1_000);
  assert.equal(term.ended, 'expired');
  renew();
  assert.equal(term.ended, undefined);
});

test('the grace counts from when the agent was lost, and no clock that is set changes it', (t) => {
  const { source, term, pass } = open(t, graceMs);
  pass(1_000_000);
  source.unreachable();
  assert.equal(term.until(), Date.now() + graceMs);
  pass(graceMs - 1, -lifetimeMs / 2);
  assert.deepEqual([term.ended, term.until()], [undefined, Date.now() + 1]);
  pass(0, lifetimeMs / 2);
  assert.equal(term.ended, undefined);
  pass(1);
  assert.deepEqual([term.ended, term.until()], ['grace_over', undefined]);
});

test('a grace that is longer than the SVID lives lengthens nothing', (t) => {
  const { source, term, pass } = open(t, 10 * lifetimeMs);
  const notAfter = source.current().svid.notAfter.getTime();
  source.unreachable();
  assert.equal(term.until(), notAfter);
  pass(lifetimeMs + 1_000);
  assert.equal(term.ended, 'expired');
});

test('an agent that comes back ends the grace, and the next one begins anew', (t) => {
  const { source, term, pass, renew } = open(t, graceMs);
  source.unreachable();
  pass(graceMs - 1);
  renew();
  pass(graceMs);
  assert.equal(term.ended, undefined);
  source.unreachable();
  pass(graceMs - 1);
  assert.equal(term.ended, undefined);
  pass(1);
  assert.equal(term.ended, 'grace_over');
});

test('an identity that was taken away has no end of its own', (t) => {
  const { source, term, pass } = open(t, graceMs);
  source.unreachable();
  source.withdraw();
  pass(10 * lifetimeMs);
  assert.deepEqual([term.ended, term.until()], [undefined, undefined]);
});
