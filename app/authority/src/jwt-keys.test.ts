import assert from 'node:assert/strict';
import { mkdtempDisposable, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { CertificateAuthority, TrustDomain } from '@spike/spiffe';
import { JwtKeys } from './jwt-keys.ts';

const x509 = CertificateAuthority.create({ trustDomain: TrustDomain.parse('spike.ist') }).bundle();
const hour = 3_600_000;

test('the key that signs tokens is replaced once a day, and each bundle has a number of its own', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'spike-jwt-'));
  const keys = await JwtKeys.open(directory.path, x509);
  const start = keys.authority.activatedAt.getTime();
  const first = keys.bundle;
  assert.equal(first.x509Authorities.length, 1);
  assert.equal(await keys.rotateWhenDue(new Date(start + 23 * hour)), false);
  assert.equal(await keys.rotateWhenDue(new Date(start + 24 * hour)), true);
  assert.equal(await keys.rotateWhenDue(new Date(start + 25 * hour)), false);
  assert.equal(keys.bundle.sequence, (first.sequence ?? 0n) + 1n);
  // What was published as the next one signs now.
  assert.equal(keys.bundle.jwtAuthorities[0]?.keyId, first.jwtAuthorities[1]?.keyId);
  const again = await JwtKeys.open(directory.path, x509);
  assert.equal(again.bundle.marshal(), keys.bundle.marshal());
});

test('keys that are made anew after a damaged file have a later bundle than those before', async (t) => {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  await using directory = await mkdtempDisposable(join(tmpdir(), 'spike-jwt-'));
  const keys = await JwtKeys.open(directory.path, x509);
  for (let day = 1; day <= 3; day++) {
    t.mock.timers.tick(24 * hour);
    assert.equal(await keys.rotateWhenDue(), true);
  }
  await rename(join(directory.path, 'jwt.json'), join(directory.path, 'damaged.json'));
  const { bundle } = await JwtKeys.open(directory.path, x509);
  assert.ok((bundle.sequence ?? 0n) > (keys.bundle.sequence ?? 0n), 'partners refuse it as older');
});

test('the keys are for their owner alone, and a file that is damaged is said to be so without a word of it', async () => {
  await using directory = await mkdtempDisposable(join(tmpdir(), 'spike-jwt-'));
  await JwtKeys.open(directory.path, x509);
  const file = join(directory.path, 'jwt.json');
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const text = await readFile(file, 'utf8');
  for (const damaged of [
    text.slice(0, -9),
    text.replace('"version":1', '"version":2'),
    text.replace('MIG', 'AAA'),
    '{}',
  ]) {
    await writeFile(file, damaged);
    await assert.rejects(JwtKeys.open(directory.path, x509), (error) => {
      assert.ok(error instanceof SpikeError && error.code === 'config_invalid');
      assert.ok(error.cause === undefined && !error.message.includes('BEGIN'));
      return true;
    });
  }
});
