import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { killAtMoments } from './fault/kill.ts';
import { repository } from './system.ts';

/** `--kills 500` of `npm run test:long` comes as this variable. */
const kills = Number(process.env['SPIKE_TEST_KILLS'] ?? 8);
const killsOfBroken = 4;

test(
  `${kills} kills of Nexus under eight clients leave a history that some order explains, and an audit of all of it`,
  { timeout: kills * 20_000 },
  async (t) => {
    assert.deepEqual(await killAtMoments(t, kills), { history: [], changes: [], other: [] });
  },
);

test('a Nexus that answers before it commits is found out, in its history and in its audit', async (t) => {
  const preload = [join(repository, 'test', 'fault', 'broken', 'early-answer.ts')];
  const { history, changes, other } = await killAtMoments(t, killsOfBroken, { preload });
  t.diagnostic(`${history.length} histories that no order explains`);
  assert.deepEqual(other, [], 'it came back after each kill, so that everything could be read');
  assert(history.length > 0, 'the history shows what was acknowledged and lost');
  assert(changes.length > 0, 'the audit tells changes that the store does not hold');
});
