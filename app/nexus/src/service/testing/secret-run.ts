import type { Store } from '@spike/store';
import fc from 'fast-check';
import { compareAll, secretCommands } from './secret-command.ts';
import { SecretOracle } from './secret-oracle.ts';
import { SecretWorld } from './secret-world.ts';

/** Runs random commands against services over a real vault, ledger and store, and against the oracle. */
export async function checkSecrets(
  kind: Store['kind'],
  parameters: { readonly numRuns: number; readonly seed?: number },
): Promise<void> {
  await fc.assert(
    fc.asyncProperty(secretCommands, fc.integer({ min: 1, max: 6 }), async (commands, maxVersions) => {
      await using world = await SecretWorld.open(kind, maxVersions);
      const oracle = new SecretOracle(maxVersions);
      await fc.asyncModelRun(() => ({ model: oracle, real: world }), commands);
      await compareAll(oracle, world);
    }),
    parameters,
  );
}
