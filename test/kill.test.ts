import { test } from 'node:test';
import { killUnderLoad } from './kill.ts';

test('two kills of Nexus under eight writers lose and bring back nothing', async (t) => {
  await killUnderLoad(t, Number(process.env['SPIKE_TEST_KILLS'] ?? 2));
});
