import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpikeError } from '@spike/error';
import { rolePaths } from '@spike/contract';
import { RoleBook } from '@spike/server';
import { SpiffeId, TrustDomain } from '@spike/spiffe';
import { checkSubject, covers, formatSubject, parseSubject, type Subject } from './subject.ts';
import { SubjectTree } from './tree.ts';

const domains = ['spike.ist', 'other.org'].map((name) => TrustDomain.parse(name));
const [own = domains[0], other = domains[1]] = domains;
const roots = [TrustDomain.parse('spike.ist')];
const roles = new RoleBook({ nexus: roots, keeper: roots, bootstrap: roots, pilot: roots, lite: roots });

function refused(run: () => unknown, says: RegExp): void {
  assert.throws(run, (thrown) => {
    assert(thrown instanceof SpikeError);
    assert.equal(thrown.code, 'data_invalid_input');
    assert.match(thrown.message, says);
    return true;
  });
}

test('one ID, or a star behind a path, and nothing else is read', () => {
  assert.equal(parseSubject('spiffe://spike.ist/app').isPrefix, false);
  const below = parseSubject('spiffe://spike.ist/app/*');
  assert.deepEqual([below.isPrefix, below.id.toString()], [true, 'spiffe://spike.ist/app']);
  assert.equal(formatSubject(below), 'spiffe://spike.ist/app/*');
  for (const text of [
    '',
    '*',
    '/*',
    '/app',
    'spike.ist/app',
    'https://spike.ist/app',
    'SPIFFE://spike.ist/app',
    'spiffe://SPIKE.ist/app',
    'spiffe://spike.ist/app*',
    'spiffe://spike.ist/a*p/*',
    'spiffe://spike.ist/*/app',
    'spiffe://spike.ist/app/**',
    'spiffe://spike.ist/app/*/*',
    'spiffe://*/app',
    'spiffe://*',
    'spiffe://spike.ist/app/',
    'spiffe://spike.ist//app',
    'spiffe://spike.ist/./app',
    'spiffe://spike.ist/app/../spike/nexus',
    'spiffe://spike.ist/%73pike/nexus',
    'spiffe://spike.ist/%61pp',
    'spiffe://spike.ist/ａｐｐ',
    'spiffe://spike.ist/app\u0000',
    'spiffe://spike.ist/app\n',
    ' spiffe://spike.ist/app',
    'spiffe://spike.ist/app?x',
    'spiffe://spike.ist/app#x',
    'spiffe://user@spike.ist/app',
    'spiffe://spike.ist:443/app',
    `spiffe://spike.ist/${'a'.repeat(2_048)}`,
  ])
    refused(() => parseSubject(text), /no SPIFFE ID/);
});

test('a whole trust domain is no subject, in whatever form', () => {
  for (const text of ['spiffe://spike.ist', 'spiffe://spike.ist/*', 'spiffe://other.org/*'])
    refused(() => parseSubject(text), /whole trust domain.*withdraw the identity of Nexus/);
});

test('SPIKE’s own are refused, and so is a prefix that covers one of them; others of the same spelling are not', () => {
  const own = [...Object.values(rolePaths), '/spike', '/spike/anything', '/spike/nexus/1'];
  for (const path of own)
    for (const star of ['', '/*'])
      refused(
        () => checkSubject(parseSubject(`spiffe://spike.ist${path}${star}`), roles),
        /own identities.*spike admin disable/,
      );
  for (const text of [
    'spiffe://other.org/spike/nexus',
    'spiffe://spike.ist/SPIKE/nexus',
    'spiffe://spike.ist/spikes',
    'spiffe://spike.ist/workload/spike/nexus',
    'spiffe://spike.ist/workload/*',
  ])
    checkSubject(parseSubject(text), roles);
});

const segment = fc.constantFrom('a', 'b', 'ab', 'spike', 'nexus', 'A');
const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((names) => `/${names.join('/')}`);
const id = fc.tuple(fc.constantFrom(...domains), path).map(([domain, text]) => SpiffeId.from(domain, text));
const subject: fc.Arbitrary<Subject> = fc.record({ id, isPrefix: fc.boolean() });

/** Segment by segment, as a person would compare them. */
function coversSlowly({ id: named, isPrefix }: Subject, asked: SpiffeId): boolean {
  const [wanted, found] = [named, asked].map((one) => one.toString().split('/'));
  if (wanted === undefined || found === undefined) return false;
  if (isPrefix ? found.length <= wanted.length : found.length !== wanted.length) return false;
  return wanted.every((name, index) => name === found[index]);
}

test('no subject that is let through covers one of SPIKE’s own', () => {
  const owned = fc.tuple(fc.constantFrom(...Object.values(rolePaths)), fc.constantFrom('', '/a', '/a/b'));
  fc.assert(
    fc.property(subject, owned, (one, [role, more]) => {
      if (own === undefined || !covers(one, SpiffeId.from(own, role + more))) return;
      refused(() => checkSubject(one, roles), /own identities/);
    }),
    { numRuns: 2_000 },
  );
  assert.ok(other !== undefined);
});

test('the tree finds what a slow look at every subject finds, whatever was added and taken away', () => {
  const step = fc.record({ subject, isAdded: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.array(id, { maxLength: 20 }), (steps, ids) => {
      const tree = new SubjectTree<string>();
      const all = new Map<string, Subject>();
      for (const { subject: one, isAdded } of steps) {
        const text = formatSubject(one);
        tree.set(one, isAdded ? text : undefined);
        if (isAdded) all.set(text, one);
        else all.delete(text);
      }
      assert.equal(tree.isEmpty, all.size === 0);
      for (const asked of [...ids, ...[...all.values()].map((one) => one.id)]) {
        const wanted = [...all].filter(([, one]) => coversSlowly(one, asked)).map(([text]) => text);
        const found = tree.find(asked, () => true);
        assert.equal(found !== undefined, wanted.length > 0, asked.toString());
        if (found !== undefined) assert.ok(wanted.includes(found));
        for (const text of wanted)
          assert.equal(
            tree.find(asked, (value) => value === text),
            text,
          );
      }
      for (const one of all.values())
        for (const asked of ids) assert.equal(covers(one, asked), coversSlowly(one, asked));
      for (const one of all.values()) tree.set(one, undefined);
      assert.ok(tree.isEmpty, 'nothing is left behind');
    }),
    { numRuns: 500 },
  );
});

test('ten thousand subjects cost a look-up no more than ten', () => {
  const timeOf = (count: number): number => {
    const tree = new SubjectTree<number>();
    for (let index = 0; index < count; index++)
      tree.set(
        parseSubject(`spiffe://spike.ist/ns/${index % 100}/app/${index}${index % 2 ? '' : '/*'}`),
        index,
      );
    const asked = Array.from({ length: 100 }, (_, index) =>
      SpiffeId.parse(`spiffe://spike.ist/ns/${index}/app/missing/${index}`),
    );
    const rounds = Array.from({ length: 9 }, () => {
      const begun = performance.now();
      for (let round = 0; round < 50; round++) for (const one of asked) tree.find(one, () => true);
      return performance.now() - begun;
    });
    return Math.min(...rounds);
  };
  timeOf(10);
  const [few, many] = [timeOf(10), timeOf(10_000)];
  assert.ok(many < 20 * few + 5, `${many} ms for 5,000 look-ups among 10,000, ${few} ms among 10`);
});
