import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { SpiffeId } from '@spike/spiffe';
import fc from 'fast-check';
import { entrySchema } from './entry.ts';
import { isPartId } from './reserved.ts';
import { formatSelector, parseSelector } from './selector.ts';

const good = [
  'uid:0',
  'uid:1000',
  'gid:4294967294',
  'pid:1',
  'path:/usr/bin/node',
  'path:/opt/a b:c',
  `sha256:${'ab'.repeat(32)}`,
  'part:nexus',
  'part:keeper-2',
];

const bad = [
  '',
  'uid',
  'uid:',
  'uid:-1',
  'uid:01',
  'uid:1.5',
  'uid:4294967295',
  'uid:1e3',
  'pid:0',
  'pid:99999999',
  'path:node',
  'path:/usr/../bin/node',
  'path:/usr//bin',
  'path:/a\0b',
  `path:/${'a'.repeat(5000)}`,
  'sha256:abcd',
  `sha256:${'g'.repeat(64)}`,
  'part:',
  'part:Nexus',
  'part:a/b',
  'user:me',
  '__proto__:1',
  ' uid:1',
];

test('a selector reads back as it was written, and what is not one is refused with a sentence', () => {
  for (const text of good) assert.equal(formatSelector(parseSelector(text)), text);
  assert.equal(parseSelector(`sha256:${'AB'.repeat(32)}`).value, 'ab'.repeat(32));
  for (const text of bad) {
    assert.throws(
      () => parseSelector(text),
      (error: unknown) => error instanceof SpikeError && error.code === 'data_invalid_input',
      text,
    );
  }
});

test('no text makes the selector parser throw anything but its own error, and what it takes is canonical', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.constantFrom('uid:', 'path:/', 'pid:').chain((p) => fc.string().map((s) => p + s)),
      ),
      (text) => {
        try {
          const once = formatSelector(parseSelector(text));
          assert.equal(formatSelector(parseSelector(once)), once);
        } catch (error) {
          assert.ok(error instanceof SpikeError);
        }
      },
    ),
  );
});

test('an entry of the wire has a valid workload ID, at least one selector and nothing else', () => {
  const entry = {
    id: '0123456789abcdef',
    spiffeId: 'spiffe://spike.ist/a',
    selectors: ['uid:1000'],
    createdAt: '2026-01-01T00:00:00.000Z',
    origin: 'operator',
  };
  assert.deepEqual(entrySchema.parse(entry).selectors, [{ type: 'uid', value: '1000' }]);
  // What a release before federation wrote is read, too.
  assert.deepEqual(entrySchema.encode(entrySchema.parse(entry)), { ...entry, federatesWith: [] });
  const federated = { ...entry, federatesWith: ['partner.example'] };
  assert.deepEqual(entrySchema.encode(entrySchema.parse(federated)), federated);
  for (const wrong of [
    { spiffeId: 'spiffe://spike.ist' },
    { spiffeId: 'https://spike.ist/a' },
    { spiffeId: 'spiffe://spike.ist/a/' },
    { selectors: [] },
    { selectors: ['uid:x'] },
    { origin: 'me' },
    { id: '../../etc' },
    { federatesWith: ['spiffe://partner.example'] },
    { federatesWith: ['Partner'] },
    { more: 1 },
  ]) {
    assert.equal(entrySchema.safeParse({ ...entry, ...wrong }).success, false, JSON.stringify(wrong));
  }
});

test('the IDs of the parts are theirs with all that is below, and a longer name is not', () => {
  const isPart = (path: string): boolean => isPartId(SpiffeId.parse(`spiffe://spike.ist${path}`));
  for (const path of ['/spike/nexus', '/spike/keeper/1', '/spike/bootstrap/a/b', '/spike/authority'])
    assert.equal(isPart(path), true);
  for (const path of ['/spike/nexus2', '/spike/pilot/role/superuser', '/spike/Nexus', '/a/spike/nexus'])
    assert.equal(isPart(path), false);
});
