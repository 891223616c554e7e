import assert from 'node:assert/strict';
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { SpikeError } from '@spike/error';
import fc from 'fast-check';

import { checkAnchors, encodeAnchor, parseAnchor, type Anchor } from './anchor.ts';
import { AnchorFile } from './anchor-file.ts';
import type { State } from './state.ts';
import { createTestInstance, emptyRoot, hasCode } from './testing/instance.ts';

const { instance } = await createTestInstance();
const keys = instance.anchors;
const stateAt = (revision: number, change: Partial<State> = {}): State => ({
  revision,
  keyringEpoch: 1,
  digestKey: 1,
  tables: [],
  head: emptyRoot,
  auditSize: 10 * revision,
  auditRoot: Buffer.alloc(32, revision),
  outboxFrom: 10 * revision,
  ...change,
});
const check = (state: State, anchors: readonly Anchor[], accepted?: string): { invalid: number } =>
  checkAnchors(keys, instance.instance, state, anchors, accepted);

async function folder(context: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'spike-anchor-'));
  context.after(() => rm(path, { recursive: true }));
  return path;
}
const ignore = (): void => undefined;

test('an anchor reads back as what was written and verifies', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat(), (revision, auditSize, keyringEpoch) => {
      const anchor = keys.sign(stateAt(1, { revision, auditSize, keyringEpoch }));
      const read = parseAnchor(encodeAnchor(anchor));
      assert.ok(keys.verify(read));
      assert.equal(encodeAnchor(read), encodeAnchor(anchor));
    }),
  );
});

test('an anchor of which anything was changed does not verify', async () => {
  const anchor = keys.sign(stateAt(5));
  const changes: Partial<Anchor>[] = [
    { revision: 6 },
    { keyringEpoch: 2 },
    { auditSize: 51 },
    { auditRoot: emptyRoot },
    { key: 2 },
    { mac: emptyRoot },
    { instance: 'another-instance' },
  ];
  for (const change of changes) assert.ok(!keys.verify({ ...anchor, ...change }), Object.keys(change).join());
  const other = await createTestInstance();
  assert.ok(!other.instance.anchors.verify({ ...anchor, instance: other.instance.instance }));
  assert.ok(keys.verify(anchor));
});

test('an anchor also tells how far the audit was signed since, where that is further', () => {
  const root = Buffer.alloc(32, 9);
  const anchor = keys.sign(stateAt(5), { size: 77, root });
  const read = parseAnchor(encodeAnchor(anchor));
  assert.deepEqual(read.signed, { size: 77, root });
  assert.ok(keys.verify(read));
  for (const signed of [undefined, { size: 78, root }, { size: 77, root: emptyRoot }])
    assert.ok(!keys.verify({ ...anchor, signed }));
  assert.equal(keys.sign(stateAt(5), { size: 50, root }).signed, undefined);
  check(stateAt(5), [anchor, keys.sign(stateAt(5))]);
  assert.throws(() => check(stateAt(5, { auditSize: 49 }), [anchor]), hasCode('store_integrity'));
});

test('no text makes the parser of anchors throw anything but SpikeError', () => {
  const text = encodeAnchor(keys.sign(stateAt(5)));
  const noise = fc.oneof(
    fc.string(),
    fc.json(),
    fc.nat(text.length - 2).map((at) => text.slice(0, at)),
  );
  fc.assert(
    fc.property(noise, (bad) => {
      assert.throws(() => parseAnchor(bad), hasCode('data_invalid_input'));
    }),
  );
  assert.throws(() => parseAnchor(text.replace('"format":1', '"format":2')), SpikeError);
  assert.throws(() => parseAnchor(' '.repeat(2000) + text), SpikeError);
});

test('a store as new as its anchor, or newer, is taken', () => {
  assert.deepEqual(check(stateAt(5), []), { invalid: 0 });
  assert.deepEqual(check(stateAt(5), [keys.sign(stateAt(5))]), { invalid: 0 });
  check(stateAt(6), [keys.sign(stateAt(5))]);
  check(stateAt(6, { keyringEpoch: 2 }), [keys.sign(stateAt(5))]);
});

test('a store older than the highest valid anchor is refused until it is accepted with the instance id, or as this revision of it', () => {
  const anchors = [keys.sign(stateAt(3)), keys.sign(stateAt(7)), keys.sign(stateAt(2))];
  assert.throws(() => check(stateAt(6), anchors), hasCode('store_integrity'));
  assert.throws(() => check(stateAt(6), anchors, 'yes'), hasCode('store_integrity'));
  assert.throws(
    () => check(stateAt(6), anchors, `${instance.instance}@5`),
    (error: SpikeError) => error.message.includes(`as ${instance.instance}@6`),
  );
  check(stateAt(6), anchors, instance.instance);
  check(stateAt(6), anchors, `${instance.instance}@6`);
  check(stateAt(7), anchors);
});

test('a store of an older keyring epoch is refused, however many revisions it has', () => {
  const rekeyed = keys.sign(stateAt(7, { keyringEpoch: 2 }));
  assert.throws(() => check(stateAt(90), [rekeyed]), hasCode('store_integrity'));
});

test('a store of the same revision with another audit is refused', () => {
  const anchor = keys.sign(stateAt(5));
  assert.throws(() => check(stateAt(5, { auditSize: 49 }), [anchor]), hasCode('store_integrity'));
  assert.throws(() => check(stateAt(5, { auditRoot: emptyRoot }), [anchor]), hasCode('store_integrity'));
});

test('an anchor that does not verify counts for nothing and is told of', () => {
  const forged = { ...keys.sign(stateAt(5)), revision: 1000 };
  assert.deepEqual(check(stateAt(5), [forged, keys.sign(stateAt(4))]), { invalid: 1 });
});

test('an anchor of another instance is store_missing, also for one who accepts', async () => {
  const other = await createTestInstance();
  const foreign = other.instance.anchors.sign(stateAt(1));
  assert.throws(() => check(stateAt(5), [foreign]), hasCode('store_missing'));
  assert.throws(() => check(stateAt(5), [foreign], instance.instance), hasCode('store_missing'));
});

test('the anchor file is absent, then found as it was written, by its owner alone', async (context) => {
  const path = join(await folder(context), 'deep', 'anchor');
  {
    await using file = await AnchorFile.open({ path, onError: assert.fail });
    assert.deepEqual(file.found, { kind: 'absent' });
    file.note(() => encodeAnchor(keys.sign(stateAt(1))));
    file.note(() => encodeAnchor(keys.sign(stateAt(2))));
  }
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(join(path, '..')), ['anchor']);
  await using again = await AnchorFile.open({ path, onError: assert.fail });
  assert.equal(again.found.kind, 'found');
  assert.ok(again.found.kind === 'found' && keys.verify(again.found.anchor));
  assert.equal(again.found.anchor.revision, 2);
});

test('a store that is opened again in the same process finds what was written since, and no missing anchor', async (context) => {
  const path = join(await folder(context), 'anchor');
  await using file = await AnchorFile.open({ path, onError: assert.fail });
  for (const revision of [4, 5]) {
    file.note(() => encodeAnchor(keys.sign(stateAt(revision))));
    await file.flush();
    assert.ok(file.found.kind === 'found' && keys.verify(file.found.anchor));
    assert.equal(file.found.anchor.revision, revision);
  }
});

test('many changes become one write, within the delay', async (context) => {
  const path = join(await folder(context), 'anchor');
  await using file = await AnchorFile.open({ path, delayMs: 20, onError: assert.fail });
  let made = 0;
  const written = new Promise<void>((resolve) => {
    for (let revision = 1; revision <= 100; revision++) {
      file.note(() => {
        made++;
        resolve();
        return encodeAnchor(keys.sign(stateAt(revision)));
      });
    }
  });
  await written;
  await file.flush();
  assert.equal(made, 1);
  assert.equal(parseAnchor(await readFile(path, 'utf8')).revision, 100);
  // For a store that this process opens once more, as after a restore.
  assert.ok(file.found.kind === 'found');
  assert.equal(file.found.anchor.revision, 100);
});

test('a draft that a dead process left behind is replaced', async (context) => {
  const path = join(await folder(context), 'anchor');
  await writeFile(`${path}.new`, 'half');
  await utimes(`${path}.new`, 1, 1);
  await using file = await AnchorFile.open({ path, onError: assert.fail });
  file.note(() => encodeAnchor(keys.sign(stateAt(3))));
  await file.flush();
  assert.equal(parseAnchor(await readFile(path, 'utf8')).revision, 3);
});

test('a write that fails is told of and tried again', async (context) => {
  const home = await folder(context);
  const path = join(home, 'anchor');
  const errors: SpikeError[] = [];
  await using file = await AnchorFile.open({ path, onError: (error) => errors.push(error) });
  await mkdir(path);
  file.note(() => encodeAnchor(keys.sign(stateAt(3))));
  await file.flush();
  assert.equal(errors[0]?.code, 'store_failed');
  await rm(path, { recursive: true });
  await file.flush();
  assert.equal(parseAnchor(await readFile(path, 'utf8')).revision, 3);
});

test('a file that is damaged is told apart from none, and a link or one that others may write is refused', async (context) => {
  const home = await folder(context);
  const path = join(home, 'anchor');
  const open = (at: string): Promise<AnchorFile> => AnchorFile.open({ path: at, onError: ignore });
  await writeFile(path, '{"format":1', { mode: 0o600 });
  assert.equal((await open(path)).found.kind, 'damaged');
  await writeFile(path, 'x'.repeat(5000));
  assert.equal((await open(path)).found.kind, 'damaged');
  await symlink(path, join(home, 'link'));
  await assert.rejects(open(join(home, 'link')), hasCode('fs_unsafe'));
  await chmod(path, 0o666);
  await assert.rejects(open(path), hasCode('fs_unsafe'));
});
