import fc from 'fast-check';
import { RE2JS } from 're2js';
import { permissions, toMask, grants, type Action } from '../permission.ts';
import type { PolicyRecord } from '../policy.ts';
import { isReserved } from '../reserved.ts';
import { rootTenant } from '../tenant.ts';

/** Few different words, so that random patterns and random subjects meet. */
const word = fc.constantFrom('a', 'b', 'ab', 'tenants', 'acme', 'db', 'spike', 'system', 'acl', 'secret');

export const secretPath = fc.oneof(
  fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join('/')),
  fc.constantFrom('spike/system/acl', 'spike/system/secret', 'spike/system/cipher/exec'),
);

export const peerId = fc
  .array(word, { minLength: 1, maxLength: 3 })
  .map((words) => `spiffe://spike.ist/${words.join('/')}`);

const piece = fc.oneof(
  { weight: 6, arbitrary: word },
  { weight: 4, arbitrary: fc.constant('/') },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '.*',
      '.+',
      '.',
      '.*?',
      '[^/]+',
      '/[^/]+/',
      '[^/]*',
      '[^/a]+',
      '/[a-c]+/',
      '/\\w*/',
      '[0-9a-c]+',
      '[.-9]+',
      '[a-z]*',
      '\\d*',
      '[]a]',
      '\\.',
      '\\w+',
      'b?',
      'b*',
      'b+',
      'a{2}',
      'b{0}',
      '{',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '(a|b)',
      '(a|b)?',
      '|',
      '(?i)',
      '(?s)',
      '^',
      '$',
      '\\A',
      '\\z',
      '\\Qa|b\\E',
      '(^a$)',
      '(^a|b$)',
      '\\b',
      '(',
      ')',
      '^*',
      '[[:alpha:]]',
      '[^]b]',
    ),
  },
);

/** Path patterns as people write them, and others; RE2 refuses some. */
export const pathPattern = fc
  .tuple(
    fc.constantFrom('', '^', '^tenants/', 'spike/system/'),
    fc.array(piece, { minLength: 1, maxLength: 6 }),
    fc.constantFrom('', '$', '.*', '/.*$'),
  )
  .map(([head, pieces, tail]) => head + pieces.join('') + tail);

export const spiffePattern = fc
  .tuple(
    fc.constantFrom('', '^'),
    fc.array(fc.oneof(word, fc.constantFrom('/', '.*', '[ab]', 'b?', '(a)', '\\w+', '(?i)', '[^/]+')), {
      maxLength: 4,
    }),
    fc.constantFrom('', '$', '.*', '\\$'),
  )
  .map(([head, pieces, tail]) =>
    `${head}spiffe://spike.ist/a${pieces.join('')}${tail}`.replace('[^/]', '[a-z]'),
  );

export const policyInput = fc.record({
  name: fc.constantFrom('p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'p7', 'p8', 'p9', 'p10', 'p11', 'p12'),
  spiffePattern: fc.oneof(spiffePattern, fc.constant('^spiffe://spike.ist/.*$')),
  pathPattern,
  permissions: fc.uniqueArray(fc.constantFrom(...permissions), { minLength: 1, maxLength: 3 }),
});

/** Few, so that policies of one name meet in several. */
export const tenant = fc.constantFrom(rootTenant, rootTenant, 'a', 'a/b', 'tenants', 'tenants/acme');

export const action = fc.constantFrom<Action>('read', 'write', 'list', 'execute');

/** RE2's own answer, through its search and not through what the engine calls: the longest match is all, or none is. */
export function matchesWhole(pattern: string, subject: string): boolean {
  const matcher = RE2JS.compile(pattern, RE2JS.LONGEST_MATCH).matcher(subject);
  return matcher.find() && matcher.start() === 0 && matcher.end() === subject.length;
}

/** The decision as wire.md 5 says it, over all policies, with nothing remembered. */
export function decideSlowly(
  policies: readonly PolicyRecord[],
  peer: string,
  wanted: Action,
  path: string,
): readonly string[] {
  return policies
    .filter((policy) => {
      if (policy.tenant !== rootTenant && !`${path}/`.startsWith(`${policy.tenant}/`)) return false;
      const anchored = policy.spiffePattern.startsWith('^') && /(?<!\\)\$$/.test(policy.spiffePattern);
      if (isReserved(path) && !anchored) return false;
      if (!grants(toMask(policy.permissions), wanted)) return false;
      return matchesWhole(policy.spiffePattern, peer) && matchesWhole(policy.pathPattern, path);
    })
    .map((policy) => (policy.tenant === rootTenant ? policy.name : `${policy.tenant}/${policy.name}`));
}
