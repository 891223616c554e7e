import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { anyCharacter } from '@spike/error/testing';
import fc from 'fast-check';
import { assertManifest, type ResetManifest } from './manifest.ts';
import { quote } from './quote.ts';
import { Scene } from './testing/scene.ts';

test('whatever a value is, the shell reads it back as one word', () => {
  const value = fc.oneof(
    fc.string({ unit: anyCharacter }),
    fc.string({ unit: fc.constantFrom("'", '"', '\\', '$', '`', '\n', ' ', ';', '(', ')', '*', '!', 'a') }),
  );
  const values = fc.sample(
    value.filter((text) => !text.includes('\0')),
    300,
  );
  const script = values.map((text) => `printf '%s\\0' ${quote(text)}\n`).join('');
  const { stdout } = spawnSync('sh', { input: script, encoding: 'utf8' });
  assert.deepEqual(stdout.split('\0').slice(0, -1), values);
  assert.throws(() => quote('a\0b'), { code: 'data_invalid_input' });
  assert.throws(() => quote('\ud800'), { code: 'data_invalid_input' });
});

test('no script is made of what would remove, move or try the wrong thing', async () => {
  await using scene = await Scene.open({ backup: true });
  const { manifest } = scene;
  const inside = join(manifest.dataDirectory, 'x');
  const [address] = manifest.addresses;
  assert.ok(address !== undefined && manifest.backup !== undefined);
  const flawed: readonly Partial<ResetManifest>[] = [
    { id: '../x' },
    { instance: "x'; rm -rf /" },
    { dataDirectory: 'relative' },
    { anchorFile: inside },
    { journal: inside },
    { aside: [{ what: 'audit', path: inside }] },
    { aside: [{ what: 'audit', path: scene.root }] },
    { aside: [{ what: 'audit', path: join(manifest.journal, '..') }] },
    { addresses: [] },
    { addresses: [{ ...address, port: 0 }] },
    { addresses: [{ ...address, host: '' }] },
    { backup: { ...manifest.backup, path: inside } },
    { backup: { ...manifest.backup, path: join(scene.audit, 'b') } },
    { backup: { ...manifest.backup, sha256: '' } },
    { expiresAt: manifest.createdAt },
    { node: { path: 'node', sha256: manifest.node.sha256, holdsHelper: false } },
  ];
  for (const change of flawed)
    assert.throws(
      () => assertManifest({ ...manifest, ...change }),
      { code: 'data_invalid_input' },
      JSON.stringify(change),
    );
  assertManifest(manifest);
});
