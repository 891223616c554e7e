import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SpikeError } from '@spike/error';
import { PolicyEngine } from '../engine.ts';
import { parsePolicy } from '../policy.ts';
import { rootTenant } from '../tenant.ts';
import { action, secretPath } from './arbitrary.ts';
import { matchesSlowly, slowPathPattern, slowSpiffePattern, type SlowPattern } from './slow-pattern.ts';

interface SlowPolicy {
  readonly name: string;
  readonly spiffe: SlowPattern & { readonly anchored: boolean };
  readonly path: SlowPattern;
  readonly permissions: readonly string[];
}

const policy: fc.Arbitrary<SlowPolicy> = fc.record({
  name: fc.integer({ min: 0, max: 23 }).map((number) => `p${String(number)}`),
  spiffe: slowSpiffePattern,
  path: slowPathPattern,
  permissions: fc.uniqueArray(fc.constantFrom('read', 'write', 'list', 'execute', 'super'), {
    minLength: 1,
    maxLength: 2,
  }),
});

const peer = fc
  .array(fc.constantFrom('a', 'b', '/a', '/db'), { maxLength: 2 })
  .map((parts) => `spiffe://spike.ist/a${parts.join('')}`);

const path = fc.oneof(
  secretPath,
  fc
    .array(fc.constantFrom('a', 'b', 'ab', '7', 'db'), { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join('/')),
);

const change = fc.record({
  remove: fc.boolean(),
  policy,
  questions: fc.array(fc.tuple(peer, action, path), { minLength: 8, maxLength: 20 }),
});

/**
 * Policies come, are replaced and go, and after each change the engine decides as section 5 of the original's rules
 * says, word for word, over all policies and with patterns that match by themselves. Answers how many decisions were
 * compared, and how many of them allowed.
 */
export function checkDecisions(parameters: { numRuns: number; seed?: number }) {
  const count = { decisions: 0, allowed: 0 };
  fc.assert(
    fc.property(fc.array(change, { minLength: 6, maxLength: 24, size: 'max' }), (changes) => {
      const engine = new PolicyEngine();
      const policies = new Map<string, SlowPolicy>();
      for (const step of changes) {
        if (step.remove && policies.delete(step.policy.name)) engine.remove(rootTenant, step.policy.name);
        else if (put(engine, step.policy)) policies.set(step.policy.name, step.policy);
        for (const [id, wanted, at] of step.questions) {
          const expected = decideSlowly([...policies.values()], id, wanted, at);
          const { allowed } = engine.decide(id, wanted, at);
          assert.equal(allowed, expected, `${id} ${wanted} ${at}`);
          count.decisions += 1;
          if (allowed) count.allowed += 1;
        }
      }
    }),
    parameters,
  );
  return count;
}

const reserved = ['spike/system/acl', 'spike/system/secret', 'spike/system/cipher/exec'];

function decideSlowly(policies: readonly SlowPolicy[], peer: string, wanted: string, path: string): boolean {
  for (const { spiffe, path: pattern, permissions } of policies) {
    if (!permissions.includes('super') && !permissions.includes(wanted)) continue;
    if (!matchesSlowly(spiffe, peer) || !matchesSlowly(pattern, path)) continue;
    if (reserved.includes(path) && !spiffe.anchored) continue;
    return true;
  }
  return false;
}

/** What the engine refuses takes no part; why it may is judged elsewhere. */
function put(engine: PolicyEngine, { name, spiffe, path, permissions }: SlowPolicy): boolean {
  try {
    const input = { name, spiffePattern: spiffe.source, pathPattern: path.source, permissions };
    engine.put(parsePolicy(input, { createdAt: 1, updatedAt: 1 }));
    return true;
  } catch (error) {
    assert.ok(error instanceof SpikeError && error.code === 'data_invalid_input', String(error));
    return false;
  }
}
