import assert from 'node:assert/strict';
import { appendFile, chmod, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { AuditFile, type AuditOptions } from './file.ts';
import { freshDirectories } from './testing/directory.ts';
import { hashLeaf, MerkleTree } from './tree.ts';

const freshDirectory = freshDirectories();
const signal = AbortSignal.timeout(120_000);
const logName = '00000000000000000000.jsonl';
const treeName = '00000000000000000000.tree';

const openAudit = async (directory: string, options: Partial<AuditOptions> = {}): Promise<AuditFile> =>
  AuditFile.open({ directory, signal, ...options });

test('a line says its sequence first, and the tree is over the exact bytes of the lines', async () => {
  const directory = freshDirectory();
  await using file = await openAudit(directory);
  assert.deepEqual([file.size, file.cutBytes, file.synced.size], [0, 0, 0]);
  assert.deepEqual(await file.append('"time":"now","path":"ä/€/😀"}'), { sequence: 0 });
  assert.deepEqual(await file.append('"b":2}'), { sequence: 1 });
  const text = await readFile(join(directory, logName));
  assert.equal(text.toString(), '{"sequence":0,"time":"now","path":"ä/€/😀"}\n{"sequence":1,"b":2}\n');
  assert.equal(hex(file.root()), hex(treeOf(text).root()));
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  for (const name of [logName, treeName, 'unready.jsonl']) {
    assert.equal((await stat(join(directory, name))).mode & 0o777, 0o600);
  }
});

test('what is appended in one turn is one write, in the order of asking', async () => {
  let writes = 0;
  const directory = freshDirectory();
  const { realDisk } = await import('./disk.ts');
  const disk = {
    ...realDisk,
    write: (fd: number, bytes: Uint8Array, offset: number) => {
      writes += 1;
      realDisk.write(fd, bytes, offset);
    },
  };
  await using file = await openAudit(directory, { disk });
  const appended = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => file.append(`"n":${index}}`)),
  );
  assert.deepEqual(
    appended.map(({ sequence }) => sequence),
    [...appended.keys()],
  );
  assert.equal(writes, 1);
});

test('what is not one line of JSON is not taken', async () => {
  await using file = await openAudit(freshDirectory());
  for (const rest of ['', '{"a":1}', '"a":1', '"a":\n1}']) await assert.rejects(file.append(rest), TypeError);
  await assert.rejects(file.append(`"a":"${'x'.repeat(1024 * 1024)}"}`), RangeError);
  assert.throws(() => file.appendUnready('"a":\n1}'), TypeError);
  assert.equal(file.size, 0);
});

test('it opens to the same size and root, with or without its side file', async () => {
  const directory = freshDirectory();
  const head = await fill(directory, 9_000);
  for (const name of [undefined, treeName]) {
    if (name !== undefined) await rm(join(directory, name));
    await using file = await openAudit(directory);
    assert.deepEqual({ size: file.size, root: hex(file.root()) }, { size: 9_000, root: hex(head.root) });
    assert.deepEqual(file.synced.size, 9_000);
    assert.equal(await file.compare(head, signal), 'ok');
    assert.equal((await stat(join(directory, treeName))).size, 2 * 40);
  }
});

test('the root at every earlier size can be told', async () => {
  const directory = freshDirectory();
  await fill(directory, 8_300);
  const tree = new MerkleTree();
  await using file = await openAudit(directory);
  const wanted = new Set([0, 1, 7, 4_095, 4_096, 4_097, 8_191, 8_192, 8_193, 8_299, 8_300]);
  const lines = (await readFile(join(directory, logName), 'utf8')).split('\n');
  for (let size = 0; size <= 8_300; size++) {
    if (wanted.has(size)) {
      assert.equal(hex((await file.rootAt(size, signal)) ?? new Uint8Array()), hex(tree.root()), `${size}`);
      assert.equal(await file.compare({ size, root: tree.root() }, signal), 'ok');
    }
    tree.append(hashLeaf(Buffer.from(lines[size] ?? '')));
  }
  assert.equal(await file.rootAt(8_301, signal), undefined);
});

test('a file that is shorter than the state record says is told, and a longer one is right', async () => {
  const directory = freshDirectory();
  const head = await fill(directory, 20);
  const text = await readFile(join(directory, logName), 'utf8');
  await truncate(join(directory, logName), text.indexOf('{"sequence":15'));
  {
    await using file = await openAudit(directory);
    assert.equal(await file.compare(head, signal), 'shorter');
    assert.equal(file.size, 15);
  }
  await writeFile(join(directory, logName), text);
  await using file = await openAudit(directory);
  await file.append('"more":1}');
  assert.equal(await file.compare(head, signal), 'ok');
});

test('a line that was changed, dropped, put in or moved is told', async () => {
  const tampering: Record<string, (lines: string[]) => void> = {
    changed: (lines) => (lines[3] = (lines[3] ?? '').replace('"n":3', '"n":9')),
    'changed in its sequence': (lines) =>
      (lines[3] = (lines[3] ?? '').replace('"sequence":3', '"sequence":4')),
    dropped: (lines) => lines.splice(3, 1),
    inserted: (lines) => lines.splice(3, 0, '{"sequence":3,"n":3}'),
    moved: (lines) => lines.splice(3, 2, lines[4] ?? '', lines[3] ?? ''),
  };
  for (const [name, tamper] of Object.entries(tampering)) {
    for (const withSideFile of [true, false]) {
      const directory = freshDirectory();
      const head = await fill(directory, 30);
      const lines = (await readFile(join(directory, logName), 'utf8')).split('\n');
      tamper(lines);
      // One more, so that a dropped line is not merely a shorter file.
      lines.splice(-1, 0, '{"sequence":30,"n":30}');
      await writeFile(join(directory, logName), lines.join('\n'));
      if (!withSideFile) await rm(join(directory, treeName));
      await using file = await openAudit(directory);
      assert.equal(await file.compare(head, signal), 'different', name);
      const misplaced = name === 'inserted' ? 4 : 3;
      if (name !== 'changed') assert.deepEqual(await file.verify(signal), { ok: false, misplaced });
    }
  }
});

test('a change in an old subtree is found by a full pass, which the side file hides from opening', async () => {
  const directory = freshDirectory();
  const head = await fill(directory, 4_200);
  const text = await readFile(join(directory, logName), 'utf8');
  await writeFile(join(directory, logName), text.replace('"n":77}', '"n":78}'));
  await using file = await openAudit(directory);
  assert.equal(await file.compare(head, signal), 'ok');
  assert.deepEqual(await file.verify(signal), { ok: false });
  await writeFile(join(directory, logName), text);
  assert.deepEqual(await file.verify(signal), { ok: true });
});

test('a side file that misleads is made anew and blames nobody', async () => {
  const directory = freshDirectory();
  const head = await fill(directory, 8_200);
  const side = await readFile(join(directory, treeName));
  const forgeries = [
    Buffer.concat([side.subarray(0, 40), Buffer.alloc(40, 0xff)]),
    Buffer.concat([Buffer.alloc(32, 1), side.subarray(32)]),
    Buffer.concat([side.subarray(0, 72), Buffer.from([0, 0, 0, 0, 0, 1, 0, 7])]),
    side.subarray(0, 50),
    Buffer.alloc(4_000),
    Buffer.from('what?'),
  ];
  for (const forgery of forgeries) {
    await writeFile(join(directory, treeName), forgery);
    await using file = await openAudit(directory);
    assert.equal(await file.compare(head, signal), 'ok');
    assert.deepEqual(await readFile(join(directory, treeName)), side);
    assert.deepEqual(await file.verify(signal), { ok: true });
  }
});

test('an incomplete last line is cut off, kept aside and told', async () => {
  const directory = freshDirectory();
  const head = await fill(directory, 5);
  await appendFile(join(directory, logName), '{"sequence":5,"n":');
  {
    await using file = await openAudit(directory);
    assert.equal(file.cutBytes, 18);
    assert.equal(await file.compare(head, signal), 'ok');
    assert.deepEqual(await file.append('"n":5}'), { sequence: 5 });
  }
  assert.equal(await readFile(join(directory, '00000000000000000000.torn'), 'utf8'), '{"sequence":5,"n":\n');
  await using file = await openAudit(directory);
  assert.deepEqual([file.size, file.cutBytes], [6, 0]);
  assert.deepEqual(await file.verify(signal), { ok: true });
});

test('what was cut off is told in one record, which is tried again until it is written', async () => {
  const directory = freshDirectory();
  await fill(directory, 2);
  await appendFile(join(directory, logName), 'torn');
  await using file = await openAudit(directory);
  const told: number[] = [];
  await assert.rejects(
    file.noteCut(() => 'no object'),
    TypeError,
  );
  for (let count = 0; count < 3; count++) {
    await file.noteCut((bytes) => {
      told.push(bytes);
      return `"cut":${bytes}}`;
    });
  }
  assert.deepEqual([told, file.size, file.cutBytes], [[4], 3, 0]);
});

test('lines are read from any sequence, also very long ones and those across chunks', async () => {
  const directory = freshDirectory();
  const lengths = [1, 65_000, 600, 1_000_000, 65_536, 3, 131_072, 10];
  const rests = lengths.map((length, index) => `"n":${index},"p":"${'€'.repeat(length / 3)}"}`);
  await using file = await openAudit(directory);
  for (const rest of rests) await file.append(rest);
  for (const from of [0, 3, 7, 8, 100]) {
    const found = await Array.fromAsync(file.scan(from, signal));
    assert.deepEqual(
      found.map(({ sequence }) => sequence),
      [...rests.keys()].slice(from),
    );
    assert.deepEqual(
      found.map(({ line }) => line),
      rests.map((rest, n) => `{"sequence":${n},${rest}`).slice(from),
    );
  }
});

test('reading starts at the subtree of the sequence that is asked for', async () => {
  const directory = freshDirectory();
  await fill(directory, 8_200);
  await using file = await openAudit(directory);
  for (const from of [4_095, 4_096, 8_191, 8_192, 8_199]) {
    for await (const { sequence, line } of file.scan(from, signal)) {
      assert.equal(sequence, from);
      assert.equal(line, `{"sequence":${from},"n":${from}}`);
      break;
    }
  }
});

test('a directory or file that others may read, or that is a link, is refused', async () => {
  const isUnsafe = (error: unknown): boolean => error instanceof SpikeError && error.code === 'fs_unsafe';
  const directory = freshDirectory();
  await fill(directory, 1);
  await chmod(join(directory, logName), 0o644);
  await assert.rejects(openAudit(directory), isUnsafe);
  await chmod(join(directory, logName), 0o600);
  await chmod(directory, 0o755);
  await assert.rejects(openAudit(directory), isUnsafe);
  await chmod(directory, 0o700);
  await rm(join(directory, treeName));
  await symlink('/dev/null', join(directory, treeName));
  await assert.rejects(openAudit(directory), isUnsafe);
  await rm(join(directory, treeName));
  await (await openAudit(directory))[Symbol.asyncDispose]();
});

test('closing writes and syncs what was asked for, can be done twice, and refuses what comes after', async () => {
  const directory = freshDirectory();
  const file = await openAudit(directory);
  const appended = file.append('"last":1}');
  await Promise.all([file[Symbol.asyncDispose](), file[Symbol.asyncDispose]()]);
  assert.deepEqual(await appended, { sequence: 0 });
  assert.equal(file.synced.size, 1);
  await file[Symbol.asyncDispose]();
  await assert.rejects(
    file.append('"a":1}'),
    (error) => error instanceof SpikeError && error.code === 'audit_unavailable',
  );
});

async function fill(directory: string, lines: number): Promise<{ size: number; root: Uint8Array }> {
  await using file = await openAudit(directory);
  await Promise.all(Array.from({ length: lines }, async (_, n) => file.append(`"n":${n}}`)));
  return file.sync();
}

function treeOf(text: Buffer): MerkleTree {
  const tree = new MerkleTree();
  for (const line of text.toString().split('\n').slice(0, -1)) tree.append(hashLeaf(Buffer.from(line)));
  return tree;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

test('a check of a file that somebody cut or changed at its end while it was in use says so, and ends', async () => {
  for (const damage of ['cut', 'newline'] as const) {
    const directory = freshDirectory();
    const path = join(directory, logName);
    const file = await openAudit(directory);
    for (const index of [0, 1, 2]) await file.append(`"n":${index}}`);
    assert.deepEqual(await file.verify(signal), { ok: true });
    const { size } = await stat(path);
    await truncate(path, damage === 'cut' ? size - 30 : size - 1);
    if (damage === 'newline') await appendFile(path, 'x');
    const { ok } = await file.verify(AbortSignal.timeout(5_000));
    assert.equal(ok, false);
    await file[Symbol.asyncDispose]();
  }
});
