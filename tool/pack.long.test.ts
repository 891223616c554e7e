import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { binary, ownNodeFirst, root } from './step.ts';

const consumer = `
import { CertificateAuthority, SpiffeId, TrustDomain, verifyX509Svid, X509BundleSet } from '@spike/spiffe';
import { StaticSource } from '@spike/spiffe/testing';

const authority = CertificateAuthority.create({ trustDomain: TrustDomain.parse('example.org') });
const svid = authority.issueX509Svid({ id: SpiffeId.parse('spiffe://example.org/app') });
const bundles = X509BundleSet.of(authority.bundle());
const id: SpiffeId = verifyX509Svid(svid.chain, bundles).id;
process.stdout.write(\`\${id.toString()} \${new StaticSource(svid, bundles).state}\`);
`;

test('the packed SPIFFE library installs into an empty folder, type-checks there and runs', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'spike-pack-'));
  const env = ownNodeFirst();
  const run = (command: string, args: readonly string[], cwd: string): string =>
    execFileSync(command, [...args], { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    run(process.execPath, [join(root, 'tool', 'pack.ts'), scratch], root);
    const tarball = (await readdir(scratch)).find((name) => name.endsWith('.tgz'));
    assert(tarball !== undefined);
    await writeFile(join(scratch, 'package.json'), '{"private":true,"type":"module"}');
    run(
      'npm',
      ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', `./${tarball}`],
      scratch,
    );
    await writeFile(join(scratch, 'consumer.ts'), consumer);
    const types = ['--typeRoots', join(root, 'node_modules', '@types'), '--types', 'node'];
    run(
      binary('tsc'),
      ['--module', 'nodenext', '--target', 'esnext', '--strict', ...types, 'consumer.ts'],
      scratch,
    );
    assert.equal(run(process.execPath, ['consumer.js'], scratch), 'spiffe://example.org/app held');
    assert.deepEqual(
      (await readdir(join(scratch, 'node_modules'))).filter((name) => !name.startsWith('.')),
      ['@spike'],
      'it brings no dependency',
    );
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});
