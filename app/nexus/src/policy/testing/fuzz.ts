import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SpikeError } from '@spike/error';
import { anyCharacter } from '@spike/error/testing';
import { parsePolicy, restorePolicy } from '../policy.ts';
import { reservedPaths } from '../reserved.ts';
import { Programs } from '../program.ts';
import { matchesWhole } from './arbitrary.ts';

/** Judging one pattern, and matching some paths by it, takes no more of the processor than this. */
const mostMicros = 500_000;

const signs = [
  ...Array.from('ab0-_./^$()?+*|[]{}\\\0\né'),
  ...String.raw`{9} {500} {1000} .* [^/]+ [a-z] \pL \p{ \x{ \Q \E [[: :]] (?i) tenants/ __proto__ spiffe://`.split(
    ' ',
  ),
  ...reservedPaths,
];
const odd = fc.array(fc.constantFrom(...signs), { maxLength: 60 }).map((parts) => parts.join(''));

/** What is known to be difficult, with something put in, taken out or doubled. */
function changed(seeds: readonly string[]): fc.Arbitrary<string> {
  const at = fc.nat({ max: 60 });
  return fc
    .tuple(fc.constantFrom(...seeds), at, at, fc.constantFrom('', ...signs), fc.integer({ min: 1, max: 12 }))
    .map(([seed, from, length, sign, times]) => {
      const start = from % (seed.length + 1);
      return (
        seed.slice(0, start) +
        sign +
        seed.slice(start, start + length).repeat(times) +
        seed.slice(start + length)
      );
    });
}

const subjects = [
  '',
  'a',
  'a/b',
  'tenants/acme/db',
  'spike/system/acl',
  'ab'.repeat(250),
  `${'a/'.repeat(30)}b`,
];

/**
 * Both patterns of policies, made of anything: each is refused as an input that is wrong, or holds for exactly the paths
 * that RE2 finds whole; neither takes long. Answers how many were taken.
 */
export function fuzzPatterns(seeds: readonly string[], numRuns: number): number {
  let taken = 0;
  const source = fc.oneof(odd, changed(seeds), fc.string({ unit: anyCharacter, maxLength: 40 }));
  const spiffe = fc.oneof(
    { weight: 3, arbitrary: fc.constant('^spiffe://spike\\.ist/a$') },
    { weight: 1, arbitrary: source },
    { weight: 1, arbitrary: source.map((text) => `spiffe://spike.ist/a${text}`) },
  );
  fc.assert(
    fc.property(fc.oneof(fc.constant('.*'), source), spiffe, (pathPattern, spiffePattern) => {
      const started = process.cpuUsage().user;
      const matched = judge(pathPattern, spiffePattern);
      assert.ok(process.cpuUsage().user - started < mostMicros, 'it took too long');
      if (matched === undefined) return;
      taken += 1;
      for (const [at, subject] of subjects.entries()) {
        assert.equal(matched[at], matchesWhole(pathPattern, subject), subject);
      }
    }),
    { numRuns },
  );
  return taken;
}

/** For each subject, does the path pattern match it? Undefined where the policy is refused. */
function judge(pathPattern: string, spiffePattern: string): readonly boolean[] | undefined {
  const programs = new Programs();
  try {
    const input = { name: 'p', spiffePattern, pathPattern, permissions: ['read'] };
    const { record } = parsePolicy(input, { createdAt: 1, updatedAt: 1 });
    const { path, spiffe } = restorePolicy(record);
    spiffe.matches(`spiffe://spike.ist/${'a'.repeat(200)}`, programs);
    return subjects.map((subject) => path.matches(subject, programs));
  } catch (error) {
    assert.ok(error instanceof SpikeError && error.code === 'data_invalid_input', String(error));
    return undefined;
  }
}
