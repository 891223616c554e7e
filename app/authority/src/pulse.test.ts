import { test } from 'node:test';
import { Pulse } from './pulse.ts';

const day = 86_400_000;

test('a change between arming and waiting is not missed, and wakes every waiter', async () => {
  const pulse = new Pulse();
  const { signal } = new AbortController();
  using first = pulse.arm(signal);
  using second = pulse.arm(signal);
  pulse.fire();
  await Promise.all([first.wait(day), second.wait(Number.POSITIVE_INFINITY)]);
});

test('a wait ends at its limit and by its signal, also one that fired before', async () => {
  const pulse = new Pulse();
  using limited = pulse.arm(new AbortController().signal);
  const timer = setTimeout(() => undefined, day);
  await limited.wait(-5);
  clearTimeout(timer);
  using aborted = pulse.arm(AbortSignal.abort());
  await aborted.wait(day);
  const controller = new AbortController();
  using armed = pulse.arm(controller.signal);
  const waiting = armed.wait(day);
  controller.abort();
  await waiting;
});
