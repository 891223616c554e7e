import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Pattern } from './pattern.ts';
import { Programs } from './program.ts';
import { findWidening, isNarrowed } from './widening.ts';

const base = {
  spiffePattern: 'spiffe://spike.ist/workload/.*',
  pathPattern: 'tenants/acme/.*',
  permissions: ['read'] as const,
};

test('new, a further permission, any super and a changed pattern widen a policy', () => {
  assert.deepEqual(findWidening(undefined, base), ['it is new']);
  assert.deepEqual(findWidening(base, { ...base, permissions: ['read', 'write', 'write'] }), [
    'it gives write, too',
  ]);
  assert.deepEqual(findWidening(base, { ...base, permissions: ['super'] }), [
    'it gives super, too',
    'it gives super',
  ]);
  const all = { ...base, permissions: ['super'] as const };
  assert.deepEqual(findWidening(all, all), ['it gives super'], 'super is told of each time');
  assert.deepEqual(findWidening(base, { ...base, pathPattern: 'tenants/.*' }), ['its path pattern changed']);
  assert.deepEqual(findWidening(base, { ...base, spiffePattern: 'spiffe://spike.ist/.*' }), [
    'its SPIFFE ID pattern changed',
  ]);
});

test('the same, fewer permissions and a further literal segment do not', () => {
  assert.deepEqual(findWidening(base, base), []);
  assert.deepEqual(findWidening({ ...base, permissions: ['read', 'write'] }, base), []);
  assert.deepEqual(findWidening({ ...base, permissions: ['super'] }, base), []);
  assert.deepEqual(
    findWidening(base, {
      ...base,
      pathPattern: 'tenants/acme/db/.*',
      spiffePattern: 'spiffe://spike.ist/workload/app',
    }),
    [],
  );
});

test('a pattern is narrowed by a further literal segment below a subtree, and by nothing else', () => {
  const narrowed = [
    ['a/.*', 'a/b'],
    ['a/.*', 'a/b/.*'],
    ['a/.+', 'a/b/c/.+'],
    ['^a/.*$', '^a/b/.*$'],
    ['a/.*', 'a/b\\.c/.*'],
  ] as const;
  for (const [before, after] of narrowed) assert.ok(isNarrowed(before, after), `${before} to ${after}`);
  const others = [
    ['a/.*', 'a/.*/b'],
    ['a/.*', 'a/[^/]+'],
    ['a/.*', 'a/(b|c)/.*'],
    ['a/.*', 'a/b.c/.*'],
    ['a/b', 'a/b/c'],
    ['a/[^/]+', 'a/b/[^/]+'],
    ['a.*', 'ab/.*'],
    ['(a|b)/.*', '(a|b)/c'],
    ['a/b/.*', 'a/.*'],
    ['a/.*', 'b/.*'],
    ['a/.*', 'a/b|.*'],
    ['a/.*', 'a/'],
    ['\\Qa/.*', '\\Qa/b/.*'],
    ['a/.*', ''],
  ] as const;
  for (const [before, after] of others) assert.ok(!isNarrowed(before, after), `${before} to ${after}`);
});

test('what counts as narrowed matches nothing that was not matched before', () => {
  const part = fc.constantFrom('a', 'b', '.', '/', '\\.', '.*', '/.+', '^', '$', '|', '(', ')');
  const parts = fc.array(part, { maxLength: 4 }).map((all) => all.join(''));
  const subject = fc
    .array(fc.constantFrom('a', 'b', '/', '.'), { maxLength: 8 })
    .map((parts) => parts.join(''));
  const programs = new Programs();
  const parse = (text: string): Pattern | undefined => {
    try {
      return Pattern.parsePath(text, programs);
    } catch {
      return undefined;
    }
  };
  let narrowed = 0;
  fc.assert(
    fc.property(parts, parts, fc.array(subject, { minLength: 5, maxLength: 20 }), (stem, more, subjects) => {
      const text = `${stem}/.*`;
      const after = `${stem}/${more}`;
      const [first, second] = [parse(text), parse(after)];
      if (first === undefined || second === undefined || !isNarrowed(text, after)) return;
      narrowed += 1;
      for (const one of subjects)
        assert.ok(
          !second.matches(one, programs) || first.matches(one, programs),
          `${text} to ${after}: ${one}`,
        );
    }),
    { numRuns: 5_000 },
  );
  assert.ok(narrowed > 100, String(narrowed));
});
