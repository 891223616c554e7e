import assert from 'node:assert/strict';
import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { AuditFile } from './file.ts';
import { freshDirectories } from './testing/directory.ts';

const freshDirectory = freshDirectories();
const signal = AbortSignal.timeout(120_000);
const resumed = (entries: number): string => `"action":"resumed","entries":${entries}}`;

async function linesOf(file: AuditFile): Promise<unknown[]> {
  const found = await Array.fromAsync(file.scan(0, signal));
  return found.map(({ line }): unknown => JSON.parse(line));
}

test('records of the time without a key enter the tree behind one record, and are forgotten then', async () => {
  const directory = freshDirectory();
  await using file = await AuditFile.open({ directory, signal });
  assert.equal(await file.drainUnready(resumed), undefined);
  await file.append('"action":"first"}');
  file.appendUnready('"action":"start"}');
  for (let count = 0; count < 1_000; count++)
    file.appendUnready(`"action":"refused","n":${count}}`, 'peer refused');
  file.appendUnready('"action":"other"}', 'other');
  assert.equal(file.size, 1);
  assert.equal((await readFile(join(directory, 'unready.jsonl'), 'utf8')).split('\n').length - 1, 3);
  assert.deepEqual(await file.drainUnready(resumed), { sequence: 1, entries: 3 });
  assert.deepEqual(await linesOf(file), [
    { sequence: 0, action: 'first' },
    { sequence: 1, action: 'resumed', entries: 3 },
    { sequence: 2, count: 1, action: 'start' },
    { sequence: 3, count: 1_000, action: 'refused', n: 0 },
    { sequence: 4, count: 1, action: 'other' },
  ]);
  assert.equal(file.synced.size, 5);
  assert.equal(await file.drainUnready(resumed), undefined);
});

test('they outlive their process, but for a line that it could not finish', async () => {
  const directory = freshDirectory();
  {
    await using file = await AuditFile.open({ directory, signal });
    file.appendUnready('"a":1}', 'key');
    file.appendUnready('"a":1}', 'key');
  }
  await appendFile(join(directory, 'unready.jsonl'), '{"count":   ');
  await using file = await AuditFile.open({ directory, signal });
  file.appendUnready('"a":1}', 'key');
  await file.drainUnready(resumed);
  assert.deepEqual(await linesOf(file), [
    { sequence: 0, action: 'resumed', entries: 2 },
    { sequence: 1, count: 2, a: 1 },
    { sequence: 2, count: 1, a: 1 },
  ]);
});

test('a record that comes while the others enter the tree waits for the next time', async () => {
  await using file = await AuditFile.open({ directory: freshDirectory(), signal });
  file.appendUnready('"a":1}', 'key');
  const draining = file.drainUnready(resumed);
  file.appendUnready('"a":1}', 'key');
  file.appendUnready('"b":1}');
  assert.deepEqual(await draining, { sequence: 0, entries: 1 });
  assert.deepEqual(await file.drainUnready(resumed), { sequence: 2, entries: 2 });
});

test('a flood of different refusals fills no disk', async () => {
  const directory = freshDirectory();
  await using file = await AuditFile.open({ directory, signal });
  for (let count = 0; count < 10_500; count++) file.appendUnready(`"n":${count}}`, `key ${count}`);
  const lines = (await readFile(join(directory, 'unready.jsonl'), 'utf8')).split('\n').slice(0, -1);
  assert.equal(lines.length, 10_001);
  assert.deepEqual(JSON.parse(lines.at(-1) ?? ''), { count: 500, overflow: true });
});

test('a line of them that is damaged is quoted and keeps nobody from going on', async () => {
  const directory = freshDirectory();
  await using file = await AuditFile.open({ directory, signal });
  file.appendUnready('"a":1}');
  await appendFile(join(directory, 'unready.jsonl'), '\0\0"rot\n');
  {
    await using again = await AuditFile.open({ directory, signal });
    again.appendUnready('"b":2}');
    await again.drainUnready(resumed);
    assert.deepEqual((await linesOf(again)).slice(1), [
      { sequence: 1, count: 1, a: 1 },
      { sequence: 2, damaged: '\0\0"rot' },
      { sequence: 3, count: 1, b: 2 },
    ]);
  }
});
