import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openCheckpoint, VerifierKey } from '@spike/audit';
import { openScratch, System, until } from './system.ts';

const logName = `${'0'.repeat(20)}.jsonl`;

test('a copy of the audit verifies with the pinned key, and not when it was changed', async () => {
  await using system = await System.start();
  await using scratch = await openScratch();
  const copy = join(scratch.path, 'copy');
  await system.mustSpike(['audit', 'key', '--pin']);
  await system.mustSpike(['secret', 'put', 'tenants/acme/db', 'pass=correct horse']);
  assert.match(
    await system.mustSpike(['audit', 'search', '--path', 'tenants']),
    /secret\.put {2}ok {2}spiffe:\S+ {2}tenants/u,
  );
  await system.mustSpike(['audit', 'export', '--out', copy]);
  assert.equal((await system.spike(['audit', 'verify', copy])).code, 0);
  const text = await readFile(copy, 'utf8');
  await writeFile(copy, text.replace('tenants/acme', 'tenants/nine'));
  assert.equal((await system.spike(['audit', 'verify', copy])).code, 1);
  assert.equal((await system.spike(['audit', 'verify'])).code, 0);
});

test('checkpoints come with time, at what operators do and at a clean stop, in a file of mode 0600', async () => {
  await using system = await System.start();
  const path = join(system.home.audit, 'checkpoint');
  const patterns = ['--path-pattern', '^a/.*', '--spiffeid-pattern', '^spiffe://spike\\.ist/a$'];
  await system.mustSpike(['policy', 'create', '--name', 'p', ...patterns, '--permissions', 'read']);
  const key = VerifierKey.parse(await system.mustSpike(['audit', 'key']));
  const read = async () => openCheckpoint(await readFile(path, 'utf8'), key);
  const { size } = await until('a checkpoint of the policy', async () => read().catch(() => undefined));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await system.mustSpike(['secret', 'put', 'a/b', 'k=v']);
  assert.equal((await read()).size, size, 'what is read and written is signed with time');
  await system.stop();
  const lines = (await readFile(join(system.home.audit, logName), 'utf8')).split('\n').length - 1;
  assert.deepEqual([(await read()).size, lines > size], [lines, true]);
  const anchor = JSON.parse(await readFile(system.home.anchorFile, 'utf8')) as {
    signedSize?: number;
    auditSize: number;
  };
  assert.equal(Math.max(anchor.signedSize ?? 0, anchor.auditSize), lines);
});
