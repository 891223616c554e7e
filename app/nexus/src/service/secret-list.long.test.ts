import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePolicy } from '../policy/policy.ts';
import { grantAll, grantMatching, grantOn } from './testing/grant.ts';
import { countRows, fillPaths, openService, readPages } from './testing/service.ts';

test('10,000 paths come in one answer, one more does not, and pages show them all', async () => {
  const opened = await openService();
  await fillPaths(
    opened,
    Array.from({ length: 10_000 }, (_, index) => `many/${String(index)}`),
  );
  assert.equal((await opened.service.list(grantAll)).keys.length, 10_000);
  await opened.service.put(grantOn('other'), {});
  await assert.rejects(opened.service.list(grantAll), {
    code: 'data_invalid_input',
    message: /10000 paths .* limit and cursor/,
  });
  assert.equal((await opened.service.list(grantAll, { prefix: 'many/' })).keys.length, 10_000);
  assert.deepEqual((await opened.service.list(grantAll, { recursive: false })).keys, ['many/', 'other']);
  assert.equal((await readPages(opened.service, grantAll, { limit: 4000 })).keys.length, 10_001);
});

test('a page looks at a bounded number of rows, however few of them pass', async () => {
  const { wrap, counted } = countRows();
  const opened = await openService({ wrap });
  await fillPaths(
    opened,
    Array.from({ length: 6_000 }, (_, index) => `t/${String(index)}/s`),
  );
  const spiffePattern = '^spiffe://spike.ist/web$';
  const policy = { name: 'p', pathPattern: '^.*/5999/s$', permissions: ['list'], spiffePattern };
  opened.engine.put(parsePolicy(policy, { createdAt: 1, updatedAt: 1 }));
  for (const recursive of [true, false]) {
    counted.rows = 0;
    const web = grantMatching('spiffe://spike.ist/web');
    const first = await opened.service.list(web, { limit: 10, recursive });
    assert.ok(counted.rows <= 5_100, `${String(counted.rows)} rows were read`);
    assert.ok(first.cursor !== undefined || first.keys.length === 1);
    const { keys } = await readPages(opened.service, web, { limit: 10, recursive });
    assert.deepEqual(keys, recursive ? ['t/5999/s'] : ['t/']);
  }
});
