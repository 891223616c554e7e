import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createSpiffeTargets, fuzz, parseInputs } from '@spike/spiffe/testing';
import { Random } from '../random.ts';
import { createBackupTargets } from './backup.ts';
import { contractTargets } from './contract.ts';
import { settingTargets } from './setting.ts';
import { createStoreTargets } from './store.ts';

/** One test for each parser of the system: its corpus first, then so many inputs. */
export async function fuzzAll(runs: number): Promise<void> {
  const { seed } = new Random();
  const targets = [
    ...createSpiffeTargets(),
    ...contractTargets,
    ...settingTargets,
    ...(await createStoreTargets()),
    ...(await createBackupTargets()),
  ];
  for (const target of targets) {
    test(`${runs} mutated inputs of ${target.name} are read or refused, each within a second`, async (t) => {
      const file = new URL(`corpus/${target.name}.txt`, import.meta.url);
      const corpus = existsSync(file) ? parseInputs(readFileSync(file, 'utf8')) : [];
      const report = await fuzz(target, { runs, seed, corpus });
      t.diagnostic(
        `seed ${seed}, ${report.runs} inputs, ${report.taken} taken, slowest ${report.slowestMs.toFixed(1)} ms`,
      );
    });
  }
}
