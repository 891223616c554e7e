import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SpikeError } from '@spike/error';
import { PolicyEngine } from '../engine.ts';
import { parsePolicy, type Policy, type PolicyRecord } from '../policy.ts';
import { action, decideSlowly, peerId, policyInput, secretPath, tenant } from './arbitrary.ts';

/** Random policies come, are replaced and go; after each change random questions are put to the index and to a scan. */
export function checkIndexAgainstScan(parameters: { numRuns: number; seed?: number }): void {
  const change = fc.record({
    remove: fc.boolean(),
    tenant,
    input: policyInput,
    questions: fc.array(fc.tuple(peerId, action, secretPath), { minLength: 4, maxLength: 10 }),
  });
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 16 }), (changes) => {
      const engine = new PolicyEngine();
      const records = new Map<string, PolicyRecord>();
      for (const { remove, tenant: whose, input, questions } of changes) {
        const id = `${whose}/${input.name}`;
        if (remove && records.delete(id)) engine.remove(whose, input.name);
        else {
          const policy = tryParse(input, whose);
          if (policy === undefined) continue;
          engine.put(policy);
          records.set(id, policy.record);
        }
        const all = [...records.values()];
        for (const [peer, wanted, path] of questions) check(engine, all, peer, wanted, path);
      }
    }),
    parameters,
  );
}

function check(
  engine: PolicyEngine,
  all: readonly PolicyRecord[],
  ...[peer, wanted, path]: [string, Parameters<PolicyEngine['decide']>[1], string]
): void {
  const expected = decideSlowly(all, peer, wanted, path);
  const decision = engine.decide(peer, wanted, path);
  assert.equal(decision.allowed, expected.length > 0, `${peer} ${wanted} ${path}`);
  if (!decision.allowed) return;
  assert.ok(decision.policy !== undefined && expected.includes(decision.policy));
  const below = engine.directories(peer, wanted).some((segments) => {
    const directory = segments.join('/');
    return directory === '' || path === directory || path.startsWith(`${directory}/`);
  });
  assert.ok(below, `${path} lies outside of the directories`);
}

function tryParse(input: Parameters<typeof parsePolicy>[0], whose: string): Policy | undefined {
  try {
    return parsePolicy(input, { createdAt: 1, updatedAt: 1 }, whose);
  } catch (error) {
    assert.ok(error instanceof SpikeError && error.code === 'data_invalid_input', String(error));
    return undefined;
  }
}
