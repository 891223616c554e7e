import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestInstance, openTestLedger } from '../../vault/testing/instance.ts';
import { MemoryAlerts, silent } from '../testing/sink.ts';
import { Sketch } from './sketch.ts';
import { AccessWatch } from './watch.ts';

const hour = 3_600_000;
const app = 'spiffe://spike.ist/workload/app';

async function open() {
  const made = await createTestInstance();
  const ledger = await openTestLedger(made);
  const place = { vault: made.instance.vault, ledger };
  const alerts = new MemoryAlerts();
  const clock = { now: 1_800_000_000_000 };
  const make = (most = 1000) =>
    new AccessWatch({ alerts, log: silent, learningMs: 24 * hour, now: () => clock.now, most });
  const watch = make();
  await watch.attach(place);
  return { place, ledger, alerts, clock, watch, make, store: made.store };
}

test('after the time of learning a path that was never read is told of, once, and what is usual is not', async () => {
  const { watch, alerts, clock } = await open();
  watch.read(app, 'tenants/acme/db');
  clock.now += 23 * hour;
  watch.read(app, 'tenants/acme/cache');
  clock.now += 2 * hour;
  watch.read(app, 'tenants/acme/db');
  watch.read(app, 'tenants/acme/cache');
  assert.equal(alerts.raised.length, 0, 'usual');
  watch.read(app, 'tenants/acme/payroll');
  watch.read(app, 'tenants/acme/payroll');
  assert.deepEqual(alerts.kinds, ['unusual_access']);
  assert.deepEqual(alerts.raised[0]?.detail, { path: 'tenants/acme/payroll' });
  assert.equal(alerts.raised[0]?.subject, app);
  watch.read('spiffe://spike.ist/workload/new', 'tenants/acme/payroll');
  assert.equal(alerts.raised.length, 1, 'a new workload is learnt first');
});

test('many different paths in a minute are told of, measured by what is usual', async () => {
  const { watch, alerts, clock } = await open();
  const paths = Array.from({ length: 200 }, (_, n) => `tenants/acme/s${n}`);
  for (const path of paths) {
    watch.read(app, path);
    clock.now += 6_000;
  }
  clock.now += 25 * hour;
  for (const path of paths.slice(0, 25)) watch.read(app, path);
  assert.equal(alerts.raised.length, 0, 'ten a minute were usual, so thirty are');
  for (const path of paths.slice(25, 60)) watch.read(app, path);
  assert.ok(alerts.raised.length > 0);
  assert.match(alerts.raised[0]?.message ?? '', /3\d different paths within a minute/);
  const before = alerts.raised.length;
  clock.now += 61_000;
  for (const path of paths.slice(0, 25)) watch.read(app, path);
  assert.equal(alerts.raised.length, before, 'the next minute begins anew');
});

test('what is known outlives a restart, sealed, and holds no path', async () => {
  const { watch, alerts, clock, place, ledger, make, store } = await open();
  watch.read(app, 'tenants/acme/db');
  await watch.detach();
  const rows = await store.list('alert', new Uint8Array(0), { limit: 10 });
  assert.equal(rows.length, 1);
  assert.ok(!Buffer.from(rows[0]?.body ?? []).includes(app));
  clock.now += 25 * hour;
  const again = make();
  await again.attach({ ...place, ledger });
  again.read(app, 'tenants/acme/db');
  assert.equal(alerts.raised.length, 0);
  again.read(app, 'tenants/acme/other');
  assert.deepEqual(alerts.kinds, ['unusual_access']);
});

test('newcomers beyond the bound push out newcomers, in the store too, and none that is known and reads', async () => {
  const { clock, place, make, store, alerts } = await open();
  const watch = make(10);
  await watch.attach(place);
  for (let n = 0; n < 5; n++) watch.read(`${app}${n}`, 'p');
  assert.deepEqual(watch.warnings, []);
  clock.now += 25 * hour;
  for (let n = 0; n < 5; n++) watch.read(`${app}${n}`, 'p');
  for (let n = 100; n < 2_000; n++) watch.read(`${app}${n}`, 'p');
  assert.match(watch.warnings.join(), /more SPIFFE IDs read secrets than are watched/);
  await watch.detach();
  assert.equal((await store.list('alert', new Uint8Array(0), { limit: 100 })).length, 10);
  const again = make(10);
  await again.attach(place);
  for (let n = 0; n < 5; n++) again.read(`${app}${n}`, 'q');
  assert.deepEqual(
    alerts.raised.map(({ subject }) => subject),
    [0, 1, 2, 3, 4].map((n) => `${app}${n}`),
    'they are known as before',
  );
});

test('where all are known, the one that has not read for the whole time of learning makes room, and else nobody does', async () => {
  const { clock, place, make, alerts } = await open();
  const watch = make(2);
  await watch.attach(place);
  watch.read(`${app}0`, 'p');
  watch.read(`${app}1`, 'p');
  clock.now += 25 * hour;
  watch.read(`${app}0`, 'p');
  watch.read(`${app}1`, 'p');
  watch.read(`${app}2`, 'p');
  assert.equal(watch.warnings.length, 1, 'there is no room for it');
  for (let n = 0; n < 25; n++) {
    clock.now += hour;
    watch.read(`${app}1`, 'p');
  }
  assert.deepEqual(watch.warnings, [], 'a day later it is forgotten');
  watch.read(`${app}3`, 'p');
  assert.deepEqual(watch.warnings, []);
  watch.read(`${app}1`, 'q');
  assert.deepEqual(
    alerts.raised.map(({ subject }) => subject),
    [`${app}1`],
  );
  // The other one begins anew, and there is nobody to make room for it but the newcomer.
  watch.read(`${app}0`, 'q');
  assert.equal(alerts.raised.length, 1);
  assert.equal(watch.warnings.length, 1);
});

test('who read last is known after a restart, too', async () => {
  const { clock, place, make, alerts } = await open();
  const watch = make(20);
  await watch.attach(place);
  for (let n = 0; n < 20; n++) watch.read(`${app}${n}`, 'p');
  clock.now += 25 * hour;
  for (let n = 0; n < 10; n++) watch.read(`${app}${n}`, 'p');
  await watch.detach();
  // A release with less room.
  const smaller = make(10);
  await smaller.attach(place);
  for (let n = 0; n < 10; n++) smaller.read(`${app}${n}`, 'q');
  assert.equal(alerts.raised.length, 10);
  await smaller.detach();
});

test('new paths are missed as seldom as the documentation says, and a path that was read is never new', () => {
  for (const [known, most] of [
    [1_000, 0.006],
    [2_000, 0.04],
    [4_000, 0.19],
  ] as const) {
    const sketch = new Sketch(app, 0);
    for (let n = 0; n < known; n++) sketch.see(`tenants/acme/service-${n}/password`, 0);
    for (let n = 0; n < known; n++)
      assert.ok(sketch.see(`tenants/acme/service-${n}/password`, 0).known, 'never the other way round');
    const filter = sketch.encode();
    let missed = 0;
    for (let n = 0; n < 2_000; n++)
      if (Sketch.decode(filter).see(`tenants/other/${n}/key`, 0).known) missed += 1;
    assert.ok(missed / 2_000 <= most, `${known}: ${missed / 2_000}`);
  }
});
