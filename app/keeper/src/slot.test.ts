import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slots } from './slot.ts';

const bytes = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);
const origin = (instance: string, generation = 1, id = 1) => ({ instance, generation, id });
const valueOf = (
  held: { value: { expose: <T>(use: (b: Uint8Array) => T) => T } } | undefined,
): number | undefined => held?.value.expose((value) => value[0]);

test('a Bootstrap may overwrite what a Bootstrap left, as long as nothing is active', () => {
  const slots = new Slots();
  slots.contributeByBootstrap(bytes(1));
  slots.contributeByBootstrap(bytes(2));
  assert.equal(valueOf(slots.pending), 2);
  slots.contributeByNexus(bytes(3), origin('a'), 'active');
  assert.equal(valueOf(slots.active), 3);
  assert.equal(slots.pending, undefined, 'filling active empties pending');
  assert.throws(() => slots.contributeByBootstrap(bytes(4)), { code: 'api_bad_request' });
  assert.equal(valueOf(slots.active), 3);
});

test('an active share is replaced only by the same instance with the same or a later generation', () => {
  const slots = new Slots();
  slots.contributeByNexus(bytes(1), origin('a', 2), 'active');
  assert.throws(() => slots.contributeByNexus(bytes(2), origin('b', 3), 'active'), {
    code: 'api_bad_request',
  });
  assert.throws(() => slots.contributeByNexus(bytes(2), origin('a', 1), 'active'), {
    code: 'api_bad_request',
  });
  assert.throws(() => slots.contributeByNexus(bytes(2), undefined, 'pending'), { code: 'api_bad_request' });
  slots.contributeByNexus(bytes(3), origin('a', 2), 'active');
  slots.contributeByNexus(bytes(4), origin('a', 3), 'pending');
  assert.equal(valueOf(slots.active), 3);
  assert.equal(valueOf(slots.pending), 4);
  slots.contributeByNexus(bytes(5), origin('a', 3), 'active');
  assert.equal(valueOf(slots.active), 5);
});

test('the caller keeps no copy, whether its share was taken or refused', () => {
  const slots = new Slots();
  const taken = bytes(1);
  slots.contributeByNexus(taken, origin('a'), 'active');
  const refused = bytes(2);
  assert.throws(() => slots.contributeByBootstrap(refused));
  assert.deepEqual(
    [...taken, ...refused],
    Array.from({ length: 64 }, () => 0),
  );
});

test('the status tells of each slot what it belongs to and never the share', () => {
  const slots = new Slots();
  assert.deepEqual(slots.status(), { active: { held: false }, pending: { held: false } });
  slots.contributeByBootstrap(bytes(7));
  assert.deepEqual(slots.status().pending, { held: true });
  slots.contributeByNexus(bytes(7), origin('a', 4, 2), 'active');
  const { active } = slots.status();
  assert.deepEqual([active.held, active.instance, active.generation, active.id], [true, 'a', 4, 2]);
  assert.match(active.digest ?? '', /^[0-9a-f]{64}$/);
  assert.doesNotMatch(JSON.stringify(slots.status()), /0707|7,7/);
});

test('what cannot be a share of its origin is refused, so that the status can always be told', () => {
  const slots = new Slots();
  const flawed: [number, ReturnType<typeof origin>][] = [
    [255, origin('a')],
    [1, origin('a', 1, 256)],
    [1, origin('a', 1, 0)],
    [1, origin('a', -1)],
    [1, origin('\ud800')],
  ];
  for (const slot of ['active', 'pending'] as const)
    for (const [fill, of] of flawed)
      assert.throws(() => slots.contributeByNexus(bytes(fill), of, slot), { code: 'api_bad_request' });
  assert.deepEqual(slots.status(), { active: { held: false }, pending: { held: false } });
});
