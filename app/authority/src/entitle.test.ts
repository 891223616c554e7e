import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSelector, type RegistrationEntry } from '@spike/registry';
import fc from 'fast-check';
import { entitle, type Attestation } from './entitle.ts';

const digest = 'ab'.repeat(32);
const process1: Attestation = { pid: 42, uid: 1000, gid: 100, path: '/usr/bin/node', sha256: digest };

function entry(
  id: string,
  selectors: readonly string[],
  more: Partial<RegistrationEntry> = {},
): RegistrationEntry {
  return {
    id,
    spiffeId: `spiffe://spike.ist/${id}`,
    selectors: selectors.map(parseSelector),
    createdAt: '2026-01-01T00:00:00.000Z',
    origin: 'operator',
    federatesWith: [],
    ...more,
  };
}

const idsOf = (entries: readonly RegistrationEntry[], attestation = process1): readonly string[] =>
  entitle(entries, attestation).map(({ id }) => id);

test('an entry matches only a process that has every property that it names', () => {
  for (const [selector, other] of [
    ['uid:1000', 'uid:0'],
    ['gid:100', 'gid:1000'],
    ['pid:42', 'pid:4'],
    ['path:/usr/bin/node', 'path:/usr/bin/nod'],
    [`sha256:${digest}`, `sha256:${'cd'.repeat(32)}`],
  ] as const) {
    assert.deepEqual(idsOf([entry('a', [selector])]), ['a']);
    assert.deepEqual(idsOf([entry('a', [other])]), []);
    assert.deepEqual(idsOf([entry('a', [selector, other])]), []);
  }
  assert.deepEqual(idsOf([entry('a', ['part:nexus'])]), []);
  assert.deepEqual(idsOf([entry('a', ['part:nexus'])], { ...process1, part: 'nexus' }), ['a']);
  assert.deepEqual(idsOf([entry('a', ['part:nexus'])], { ...process1, part: 'keeper' }), []);
  assert.deepEqual(idsOf([{ ...entry('a', []), selectors: [] }]), []);
});

test('a process whose executable is hidden has no path and no digest that could match', () => {
  const hidden: Attestation = { pid: 42, uid: 1000, gid: 100 };
  const entries = [
    entry('a', ['path:/usr/bin/node']),
    entry('b', [`sha256:${digest}`]),
    entry('c', ['uid:1000']),
  ];
  assert.deepEqual(idsOf(entries, hidden), ['c']);
});

test('the most specific entry comes first: more selectors, then the more telling kind, then the older', () => {
  const entries = [
    entry('uid-young', ['uid:1000'], { createdAt: '2026-01-02T00:00:00.000Z' }),
    entry('uid-old', ['uid:1000']),
    entry('uid-old-2', ['uid:1000']),
    entry('gid', ['gid:100']),
    entry('path', ['path:/usr/bin/node']),
    entry('sha256', [`sha256:${digest}`]),
    entry('pid', ['pid:42']),
    entry('uid-gid', ['gid:100', 'uid:1000']),
    entry('uid-path', ['uid:1000', 'path:/usr/bin/node']),
    entry('part', ['part:nexus']),
  ];
  assert.deepEqual(idsOf(entries, { ...process1, part: 'nexus' }), [
    'uid-path',
    'uid-gid',
    'pid',
    'part',
    'sha256',
    'path',
    'gid',
    'uid-old',
    'uid-old-2',
    'uid-young',
  ]);
});

test('two entries with one ID give one SVID', () => {
  const same = { spiffeId: 'spiffe://spike.ist/same' };
  assert.deepEqual(idsOf([entry('a', ['uid:1000'], same), entry('b', ['gid:100'], same)]), ['b']);
});

test('a process that was bound by run gets that ID and no other, and nothing once that is deleted', () => {
  const run = entry('run', ['pid:42'], { origin: 'run' });
  const all = [entry('a', ['uid:1000']), run, entry('p', ['pid:42'])];
  assert.deepEqual(idsOf(all, { ...process1, runEntry: 'run' }), ['run']);
  assert.deepEqual(idsOf(all.slice(0, 1), { ...process1, runEntry: 'run' }), []);
  // The entry of a run is for the process that was bound, not for one that has its number.
  assert.deepEqual(idsOf(all), ['p', 'a']);
});

test('what a process gets does not depend on the order of the entries, but for ties in age', () => {
  const entries = ['uid:1000', 'gid:100', 'pid:42', 'path:/usr/bin/node'].map((selector, index) =>
    entry(`e${index}`, [selector]),
  );
  const expected = idsOf(entries);
  fc.assert(
    fc.property(fc.shuffledSubarray(entries, { minLength: entries.length }), (shuffled) => {
      assert.deepEqual(idsOf(shuffled), expected);
    }),
  );
});
