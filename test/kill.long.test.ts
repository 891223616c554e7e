import { test } from 'node:test';
import { killUnderLoad } from './kill.ts';

/** `--kills 500` of `npm run test:long` comes as this variable. */
const kills = Number(process.env['SPIKE_TEST_KILLS'] ?? 30);

test(
  `${kills} kills of Nexus under eight writers lose and bring back nothing`,
  { timeout: kills * 20_000 },
  async (t) => {
    await killUnderLoad(t, kills);
  },
);
