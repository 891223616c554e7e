import assert from 'node:assert/strict';
import { appendFile, chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silent } from '../alert/testing/sink.ts';
import { Spool } from './spool.ts';

async function scratch() {
  const path = await mkdtemp(join(tmpdir(), 'spike-spool-'));
  return { path, [Symbol.asyncDispose]: async () => await rm(path, { recursive: true }) };
}

const alert = { type: 'alert', kind: 'identity_withdrawn', at: 5 } as const;
const loss = { type: 'audit', kind: 'expired', at: 4 } as const;
const entry = { type: 'history', kind: 'withdrawn', at: 6 } as const;

test('what was spooled is there for the next process, until it is in the store', async () => {
  await using directory = await scratch();
  const path = join(directory.path, 'spool.jsonl');
  const first = Spool.open(path, silent);
  first?.add(alert);
  first?.add(entry);
  first?.[Symbol.dispose]();
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  // A crash in the middle of a line, and a line of a later release.
  await appendFile(path, '{"type":"vision","kind":"x","at":1}\n{"type":"al');
  const second = Spool.open(path, silent);
  assert.deepEqual(second?.found, [alert, entry]);
  second?.forget('alert');
  assert.equal(await readFile(path, 'utf8'), `${JSON.stringify(entry)}\n`);
  second?.forget('history');
  assert.equal(await readFile(path, 'utf8'), '');
  second?.[Symbol.dispose]();
});

test('what one kind of book has is forgotten, and what another still waits for stays', async () => {
  await using directory = await scratch();
  const path = join(directory.path, 'spool.jsonl');
  {
    using first = Spool.open(path, silent);
    first?.add(loss);
    first?.add(alert);
    assert.deepEqual(first?.waiting('audit'), [loss]);
    first?.forget('alert');
  }
  using second = Spool.open(path, silent);
  assert.deepEqual(second?.waiting('audit'), [loss]);
  second?.forget('audit');
  assert.deepEqual([second?.waiting('audit'), await readFile(path, 'utf8')], [[], '']);
});

test('it stays small, and takes nothing but kind and time', async () => {
  await using directory = await scratch();
  const path = join(directory.path, 'spool.jsonl');
  using spool = Spool.open(path, silent);
  for (let n = 0; n < 5_000; n++) spool?.add({ ...alert, subject: 'secret' } as never);
  const text = await readFile(path, 'utf8');
  assert.ok(text.length <= 64 * 1024);
  assert.ok(!text.includes('secret'));
});

test('a file of others, a link and a file that is too large are not used', async () => {
  await using directory = await scratch();
  const path = join(directory.path, 'spool.jsonl');
  await writeFile(path, '');
  await chmod(path, 0o644);
  assert.equal(Spool.open(path, silent), undefined);
  await chmod(path, 0o600);
  await writeFile(path, 'x'.repeat(70_000));
  assert.equal(Spool.open(path, silent), undefined);
  await symlink(path, join(directory.path, 'link'));
  assert.equal(Spool.open(join(directory.path, 'link'), silent), undefined);
});
