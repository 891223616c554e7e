import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { assertManifest, type ResetManifest } from './manifest.ts';
import { Scene } from './testing/scene.ts';

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
