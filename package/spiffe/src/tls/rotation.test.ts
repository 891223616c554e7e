import { setImmediate as immediate } from 'node:timers/promises';
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { TestDomain } from '../testing/domain.ts';
import { Stage } from '../testing/stage.ts';
import { X509Bundle } from '../x509/bundle.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';

void test('no request fails while both sides rotate short-lived SVIDs, and then their root, under load', async () => {
  await using stage = await Stage.open();
  const lifetimeMs = 2000;
  const renewed = new TestDomain('spike.ist');
  const { trustDomain } = stage.domain;
  const authorities = [...stage.domain.bundle.authorities, ...renewed.bundle.authorities];
  const both = X509BundleSet.of(X509Bundle.of(trustDomain, authorities));
  let signer = stage.domain;
  let bundles = stage.domain.bundles;
  const rotate = (): void => {
    stage.serverSource.set(signer.issue('/spike/nexus', { lifetimeMs }), bundles);
    stage.clientSource.set(signer.issue('/workload', { lifetimeMs }), bundles);
  };
  rotate();
  const rotation = setInterval(rotate, 700);
  const end = performance.now() + 2500;
  let answered = 0;
  let failed = false;
  let done = false;
  const work = async (): Promise<void> => {
    while (!done) {
      const { status } = await stage.get();
      assert.equal(status, 200);
      answered += 1;
    }
  };
  /** By requests, not by time: a slow machine only takes longer. */
  const untilAnswered = async (count: number): Promise<void> => {
    while (!failed && answered < count) await immediate();
  };
  const steps = (async () => {
    await untilAnswered(200);
    bundles = both;
    rotate();
    await untilAnswered(400);
    signer = renewed;
    rotate();
    await untilAnswered(600);
    // Longer than any of the first SVIDs lives.
    while (!failed && performance.now() < end) await immediate();
    done = true;
  })();
  try {
    await Promise.all([...Array.from({ length: 8 }, work), steps]);
  } finally {
    failed = true;
    clearInterval(rotation);
  }
  assert.ok(answered >= 600, `only ${answered} requests`);
  assert.ok(stage.server.connections <= 16);
});
