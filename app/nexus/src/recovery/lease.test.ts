import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lease } from './lease.ts';

test('a second Bootstrap is refused while the first holds the lease, and gets one of its own after that', () => {
  let now = 0;
  const lease = new Lease(1000, () => now);
  assert.equal(lease.instance, undefined);
  const first = lease.begin(undefined);
  assert.equal(lease.instance, first.instance);
  assert.throws(() => lease.begin(undefined), { code: 'bootstrap_lease_held' });
  assert.throws(() => lease.begin('00'.repeat(16)), { code: 'bootstrap_lease_held' });
  assert.throws(() => lease.begin('not hex'), { code: 'bootstrap_lease_held' });
  now = 1000;
  assert.equal(lease.instance, undefined);
  const second = lease.begin(undefined);
  assert.notEqual(second.instance, first.instance);
  assert.throws(() => lease.begin(first.lease), { code: 'bootstrap_lease_held' });
});

test('its holder renews a lease and keeps the instance id', () => {
  let now = 0;
  const lease = new Lease(1000, () => now);
  const first = lease.begin(undefined);
  now = 900;
  assert.deepEqual(lease.begin(first.lease), first);
  now = 1800;
  assert.equal(lease.instance, first.instance);
});

test('only who shows the lease that runs is admitted to it, and nobody is kept out when none runs', () => {
  let now = 0;
  const lease = new Lease(1000, () => now);
  assert.equal(lease.admit(undefined), undefined);
  assert.equal(lease.admit('00'.repeat(16)), undefined);
  const first = lease.begin(undefined);
  assert.equal(lease.admit(first.lease), first.instance);
  for (const shown of [undefined, '', '00'.repeat(16), `${first.lease}00`])
    assert.throws(() => lease.admit(shown), { code: 'bootstrap_lease_held' });
  now = 1000;
  assert.equal(lease.admit(undefined), undefined);
});
