import { test } from 'node:test';
import { killUnderLoad } from './kill.ts';

test('ten kills of Nexus under eight writers lose and bring back nothing', async (t) => {
  await killUnderLoad(t, Number(process.env['SPIKE_TEST_KILLS'] ?? 10));
});
