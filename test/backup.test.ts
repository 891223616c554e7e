import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { test } from 'node:test';
import type { CipherEnvelope } from '@spike/contract';
import { describeSystem, fillSystem, makeKey, takeShares } from './backup.ts';
import { openScratch, System } from './system.ts';

test('a backup, its identity and recovery shares bring everything back into another system', async () => {
  await using scratch = await openScratch();
  const args = ['--no-recovery-file'];
  let before: unknown;
  let message: CipherEnvelope;
  let shares: readonly string[] = [];
  let place: Awaited<ReturnType<typeof makeKey>>;
  {
    await using a = await System.start({ args });
    message = await fillSystem(a);
    place = await makeKey(a, scratch.path);
    assert.equal((await stat(place.key)).mode & 0o777, 0o600);
    const create = ['backup', 'create', place.backup, '-R', place.recipients];
    const early = await a.spike(create);
    assert.equal(early.code, 6);
    assert.match(early.stderr, /spike operator recover/);
    shares = await takeShares(a, scratch.path);
    before = await describeSystem(a, message);
    assert.match(await a.mustSpike(create), /sealed to +age1pq1/);
    assert.equal((await stat(place.backup)).mode & 0o777, 0o600);
    const verified = await a.mustSpike(['backup', 'verify', place.backup, '-i', place.key]);
    assert.match(verified, /records opened, and nothing was taken out of it or put in/);
    const sealed = await readFile(place.backup);
    for (const word of ['tenants', 'acme', 'web', 'spike-backup']) assert.ok(!sealed.includes(word), word);
  }
  await using b = await System.start({ args });
  const restore = ['backup', 'restore', place.backup, '-i', place.key];
  const given = shares.slice(1).flatMap((path) => ['-s', path]);
  const unasked = await b.spike([...restore, ...given]);
  assert.equal(unasked.code, 2, 'what cannot be taken back wants a yes');
  assert.match(unasked.stderr, /policies +1: web/);
  assert.equal((await b.spike(['secret', 'get', 'tenants/acme/db'])).code, 3);
  await b.mustSpike([...restore, ...given, '--yes']);
  assert.deepEqual(await describeSystem(b, message), before);
});
