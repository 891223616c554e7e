import { test } from 'node:test';
import assert from 'node:assert/strict';
import { TestWorld } from '@spike/server/testing';
import { pickWorkload } from './pick.ts';

const world = new TestWorld();
const [app, job] = [world.svid('/app'), world.svid('/job')];
const root = world.svid('/spike/pilot/role/superuser');

void test('the only identity is taken', () => {
  assert.equal(pickWorkload([app]), app);
  assert.equal(pickWorkload([]), undefined);
});

void test('identities of SPIKE itself are not taken, though they come first', () => {
  assert.equal(pickWorkload([root, app]), app);
  assert.equal(pickWorkload([root]), undefined);
  const alike = world.svid('/spikes');
  assert.equal(pickWorkload([alike]), alike);
});

void test('among several it refuses to choose, and names them', () => {
  assert.throws(() => pickWorkload([app, root, job]), {
    code: 'identity_ambiguous',
    message: /spiffe:\/\/spike\.ist\/app, spiffe:\/\/spike\.ist\/job$/,
  });
});

void test('it takes the one that it is told, or none', () => {
  assert.equal(pickWorkload([app, job], 'spiffe://spike.ist/job'), job);
  assert.equal(pickWorkload([app, root], 'spiffe://spike.ist/spike/pilot/role/superuser'), root);
  assert.equal(pickWorkload([app, job], 'spiffe://spike.ist/other'), undefined);
});
