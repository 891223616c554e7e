import assert from 'node:assert/strict';
import { copyFile, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { realDisk } from './disk.ts';
import { AuditFile, type AuditOptions } from './file.ts';
import { verifyConsistency, verifyInclusion } from './proof.ts';
import { freshDirectories } from './testing/directory.ts';
import { hashLeaf, MerkleTree } from './tree.ts';

const freshDirectory = freshDirectories();
const signal = AbortSignal.timeout(120_000);
const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
const openAudit = async (directory: string, options: Partial<AuditOptions> = {}): Promise<AuditFile> =>
  AuditFile.open({ directory, signal, ...options });

async function fill(file: AuditFile, lines: number): Promise<void> {
  const from = file.size;
  await Promise.all(Array.from({ length: lines }, async (_, n) => file.append(`"n":${from + n}}`)));
}

function lineOf(n: number): string {
  return `{"sequence":${n},"n":${n}}`;
}

/** All roots of the log that `fill` makes. */
function rootsUpTo(size: number): readonly Uint8Array[] {
  const tree = new MerkleTree();
  const roots = [tree.root()];
  for (let n = 0; n < size; n++) {
    tree.append(hashLeaf(Buffer.from(lineOf(n))));
    roots.push(tree.root());
  }
  return roots;
}

async function filesOf(directory: string): Promise<string[]> {
  const names = await readdir(directory);
  return names.filter((name) => /\.(jsonl|hashes)$/u.test(name) && name !== 'unready.jsonl').toSorted();
}

async function assertWhole(file: AuditFile, roots: readonly Uint8Array[]): Promise<void> {
  const size = roots.length - 1;
  assert.equal(file.size, size);
  assert.equal(hex(file.root()), hex(roots[size]));
  assert.deepEqual(await file.verify(signal), { ok: true });
  assert.equal(await file.compare({ size, root: roots[size] ?? new Uint8Array() }, signal), 'ok');
}

test('the log goes on in another file when one is full, and is one log', async () => {
  const directory = freshDirectory();
  const roots = rootsUpTo(1_000);
  {
    await using file = await openAudit(directory, { segmentBytes: 4_000 });
    while (file.size < 1_000) await fill(file, 20);
    await file.sync();
    await assertWhole(file, roots);
    assert.ok(file.closedSegments().length >= 5, `${file.closedSegments().length}`);
  }
  const names = await filesOf(directory);
  for (const name of names) assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600);
  const text = await Promise.all(names.map((name) => readFile(join(directory, name), 'utf8')));
  assert.equal(
    text.join(''),
    roots
      .slice(1)
      .map((_, n) => `${lineOf(n)}\n`)
      .join(''),
  );
  await using file = await openAudit(directory);
  await assertWhole(file, roots);
  const found = await Array.fromAsync(file.scan(437, signal));
  assert.deepEqual(
    found.map(({ line }) => line),
    roots.slice(438).map((_, n) => lineOf(437 + n)),
  );
});

test('rolling while lines come loses none, and a failed one is tried again', async () => {
  const directory = freshDirectory();
  let failing = false;
  const disk = {
    ...realDisk,
    truncate: (fd: number, bytes: number) => {
      if (failing) throw Object.assign(new Error('input/output error'), { code: 'EIO' });
      realDisk.truncate(fd, bytes);
    },
  };
  const roots = rootsUpTo(3_000);
  {
    await using file = await openAudit(directory, { segmentBytes: 1_000, disk });
    const writing = Array.from({ length: 30 }, async (_, index) => {
      await new Promise((resolve) => setImmediate(resolve));
      failing = index % 3 === 0;
      await Promise.all([fill(file, 0), file.sync().catch(() => undefined)]);
    });
    for (let count = 0; count < 30; count++) {
      const filling = fill(file, 100);
      await Promise.allSettled([file.roll(), filling]);
      await filling;
    }
    failing = false;
    await Promise.all(writing);
    await assertWhole(file, roots);
    assert.ok(file.closedSegments().length > 5);
  }
  await using file = await openAudit(directory);
  await assertWhole(file, roots);
});

test('what is no longer kept leaves its hashes, and everything still verifies', async () => {
  const directory = freshDirectory();
  const size = 9_500;
  const roots = rootsUpTo(size);
  const first = 7_000;
  {
    await using file = await openAudit(directory);
    for (const part of [1_500, 3_000, 2_500]) {
      await fill(file, part);
      await file.roll();
    }
    await fill(file, size - first);
    const closed = file.closedSegments();
    assert.deepEqual(
      closed.map(({ from, to }) => [from, to]),
      [
        [0, 1_500],
        [1_500, 4_500],
        [4_500, 7_000],
      ],
    );
    assert.equal(await closed[0]?.lastLine(), lineOf(1_499));
    // Somebody who reads goes on while the file is given up.
    const reading = file.scan(0, signal)[Symbol.asyncIterator]();
    assert.equal((await reading.next()).value?.line, lineOf(0));
    for (const { from } of closed) assert.equal(await file.seal(from, signal), true);
    for (let n = 1; n < 1_000; n++) assert.equal((await reading.next()).value?.line, lineOf(n));
    await reading.return?.();
    await assertWhole(file, roots);
  }
  assert.deepEqual(await filesOf(directory), [
    '00000000000000000000.hashes',
    '00000000000000001500.hashes',
    '00000000000000004500.hashes',
    '00000000000000007000.jsonl',
  ]);
  for (const withSideFile of [true, false]) {
    if (!withSideFile) await rm(join(directory, '00000000000000000000.tree'));
    await using file = await openAudit(directory);
    await assertWhole(file, roots);
    assert.equal(file.first, first);
    assert.equal(await file.line(6_999, signal), undefined);
    assert.equal(await file.line(7_000, signal), lineOf(7_000));
    assert.equal((await Array.fromAsync(file.scan(0, signal)))[0]?.sequence, 7_000);
    for (const old of [0, 1, 1_499, 1_500, 4_096, 4_500, 6_000, 8_192, 9_499, 9_500]) {
      const proof = await file.proveConsistency(old, size, signal);
      const heads = [old, size].map((n) => ({ size: n, root: roots[n] ?? new Uint8Array() }));
      const [before, after] = heads;
      assert.ok(
        before !== undefined && after !== undefined && verifyConsistency(before, after, proof ?? []),
        `${old}`,
      );
      assert.equal(hex(await file.rootAt(old, signal)), hex(roots[old]));
    }
  }
});

test('proofs of any line and any size are those of the definition, whatever is in which file', async () => {
  const directory = freshDirectory();
  const size = 5_000;
  const roots = rootsUpTo(size);
  await using file = await openAudit(directory);
  for (const part of [700, 3_500, 800]) {
    await fill(file, part);
    await file.roll();
  }
  await file.seal(0, signal);
  const place = fc.nat(size - 1);
  await fc.assert(
    fc.asyncProperty(place, place, async (a, b) => {
      const [first, second] = [Math.min(a, b), Math.max(a, b) + 1];
      const head = { size: second, root: roots[second] ?? new Uint8Array() };
      const path = await file.proveInclusion(first, second, signal);
      assert.ok(
        path !== undefined &&
          verifyInclusion({ index: first, bytes: Buffer.from(lineOf(first)) }, head, path),
      );
      const proof = await file.proveConsistency(first, second, signal);
      assert.ok(
        proof !== undefined &&
          verifyConsistency({ size: first, root: roots[first] ?? head.root }, head, proof),
      );
      const tree = new MerkleTree();
      let left = second;
      for (const hash of (await file.edge(second, signal)) ?? []) {
        const level = Math.floor(Math.log2(left));
        tree.appendSubtree(level, hash);
        left -= 2 ** level;
      }
      assert.equal(hex(tree.root()), hex(head.root));
    }),
    { numRuns: 20 },
  );
  assert.equal(await file.proveInclusion(size, size, signal), undefined);
  assert.equal(await file.proveInclusion(0, size + 1, signal), undefined);
  assert.equal(await file.proveConsistency(0, size + 1, signal), undefined);
  assert.equal(await file.edge(size + 1, signal), undefined);
});

test('a file that was changed is evidence and stays', async () => {
  const directory = freshDirectory();
  await using file = await openAudit(directory);
  await fill(file, 100);
  await file.roll();
  await fill(file, 10);
  const path = join(directory, '00000000000000000000.jsonl');
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace('"n":50}', '"n":51}'));
  assert.equal(await file.seal(0, signal), false);
  assert.deepEqual(await file.verify(signal), { ok: false });
  await writeFile(path, text);
  assert.equal(await file.seal(0, signal), true);
  assert.deepEqual(await file.verify(signal), { ok: true });
});

test('a stop at any step of giving lines up loses nothing', async () => {
  const directory = freshDirectory();
  const roots = rootsUpTo(220);
  {
    await using file = await openAudit(directory);
    await fill(file, 100);
    await file.roll();
    await fill(file, 120);
  }
  const [lines, hashes] = ['jsonl', 'hashes'].map((kind) => join(directory, `00000000000000000000.${kind}`));
  assert.ok(lines !== undefined && hashes !== undefined);
  // Half of the hashes are written.
  await writeFile(`${hashes}.new`, Buffer.alloc(32 * 50), { mode: 0o600 });
  {
    await using file = await openAudit(directory);
    await assertWhole(file, roots);
    await copyFile(lines, `${lines}.copy`);
    assert.equal(await file.seal(0, signal), true);
  }
  // All of them are, and the lines are still here.
  await rename(`${lines}.copy`, lines);
  {
    await using file = await openAudit(directory);
    await assertWhole(file, roots);
    assert.equal(file.first, 100);
  }
  await assert.rejects(stat(lines));
});

test('a file that is missing, cut, swapped or changed is told, and nothing is mended', async () => {
  const make = async (): Promise<string> => {
    const directory = freshDirectory();
    await using file = await openAudit(directory);
    for (const part of [100, 100, 100]) {
      await fill(file, part);
      await file.roll();
    }
    await fill(file, 100);
    await file.seal(0, signal);
    return directory;
  };
  const roots = rootsUpTo(400);
  const head = { size: 400, root: roots[400] ?? new Uint8Array() };
  const nameOf = (directory: string, start: number, kind = 'jsonl'): string =>
    join(directory, `${String(start).padStart(20, '0')}.${kind}`);
  const edit = async (path: string, change: (text: string) => string): Promise<void> =>
    writeFile(path, change(await readFile(path, 'latin1')), 'latin1');
  const tampering: Record<string, (directory: string) => Promise<void>> = {
    'missing hashes': async (directory) => rm(nameOf(directory, 0, 'hashes')),
    'missing lines': async (directory) => rm(nameOf(directory, 100)),
    'hashes with one changed': async (directory) =>
      edit(nameOf(directory, 0, 'hashes'), (text) => `${text.slice(0, 70)}!${text.slice(71)}`),
    'an old file that is cut': async (directory) => edit(nameOf(directory, 100), (text) => text.slice(0, -5)),
    'an old file that is cut at a line': async (directory) =>
      edit(nameOf(directory, 100), (text) => text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1)),
    'an old line that is changed': async (directory) =>
      edit(nameOf(directory, 200), (text) => text.replace('"n":250}', '"n":251}')),
    'two files that are swapped': async (directory) => {
      await rename(nameOf(directory, 100), nameOf(directory, 999, 'x'));
      await rename(nameOf(directory, 200), nameOf(directory, 100));
      await rename(nameOf(directory, 999, 'x'), nameOf(directory, 200));
    },
    'a newest file that is taken away': async (directory) => rm(nameOf(directory, 300)),
  };
  for (const [name, tamper] of Object.entries(tampering)) {
    const directory = await make();
    await tamper(directory);
    await using file = await openAudit(directory);
    await file.cutDamage(400, signal);
    assert.notEqual(await file.compare(head, signal), 'ok', name);
  }
  // What is only behind the synced size is for cutDamage; an old file never is.
  const directory = await make();
  const cut = nameOf(directory, 200);
  await edit(cut, (text) => text.slice(0, -5));
  const before = await readFile(cut, 'utf8');
  await using file = await openAudit(directory);
  await file.cutDamage(0, signal);
  assert.equal(await readFile(cut, 'utf8'), before);
});
