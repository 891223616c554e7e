import fc from 'fast-check';
import { PolicyEngine } from '../../policy/engine.ts';
import { createTestInstance, openTestLedger } from '../../vault/testing/instance.ts';
import { SecretService } from '../secret.ts';
import { secretCommands, type SecretModel } from './secret-model.ts';

/** Runs random commands against a service over a real vault and ledger, and against the model. */
export async function checkSecretModel(parameters: { numRuns: number; seed?: number }): Promise<void> {
  await fc.assert(
    fc.asyncProperty(secretCommands, fc.integer({ min: 1, max: 4 }), async (commands, maxVersions) => {
      const made = await createTestInstance();
      await using ledger = await openTestLedger(made);
      const { vault } = made.instance;
      const real = new SecretService({ vault, ledger, engine: new PolicyEngine(), maxVersions });
      const model: SecretModel = { maxVersions, secrets: new Map() };
      await fc.asyncModelRun(() => ({ model, real }), commands);
    }),
    parameters,
  );
}
