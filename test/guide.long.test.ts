import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { readShareFiles } from '@spike/recovery';
import { CertificateAuthority, SpiffeBundle, TrustDomain } from '@spike/spiffe';
import { join } from 'node:path';
import { readCommands, runCommand } from './page.ts';
import { initialize, startGuarded } from './admin.ts';
import { openScratch } from './system.ts';

test('the commands of the guides do what the guides say', async () => {
  await using system = await startGuarded();
  await initialize(system);
  await using scratch = await openScratch();
  const run = async (page: string, cwd?: string): Promise<string> => {
    const commands = await readCommands(`doc/guide/${page}.md`);
    assert.ok(commands.length > 0, page);
    let printed = '';
    for (const line of commands) printed += (await runCommand(system, line, cwd)).stdout;
    return printed;
  };
  assert.match(await run('secret'), /better[^]*\n300\n[^]*Version 3:[^]*"owner": "payments"/);
  assert.match(await run('policy'), /Path Pattern: \^tenants\/acme\/\.\*/);
  assert.match(await run('workload'), /connected to the database as app[^]*Selector: +path:\/usr\/bin\/app/);
  assert.match(await run('cipher'), /^(4111 1111 1111 1111\n){2}/);
  assert.match(await run('monitoring'), /bootstrapped[^]*Nothing is wrong/);
  // What it writes lies where the reader is.
  assert.match(await run('audit', scratch.path), /The audit is whole[^]*Line 0 is in the audit/);
  const partner = CertificateAuthority.create({ trustDomain: TrustDomain.parse('partner.example') }).bundle();
  const document = new SpiffeBundle(partner.trustDomain, { x509Authorities: partner.authorities }).marshal();
  await writeFile(join(scratch.path, 'partner.json'), document);
  assert.match(
    await run('federation', scratch.path),
    /Federates: {2}partner\.example[^]*1 for X\.509-SVIDs, 0 for JWT-SVIDs[^]*OK\n$/,
  );
  assert.match(await run('administrator'), /ann {2}tenant_admin of tenants\/acme/);
  assert.match(
    await run('deny'),
    /app is denied until it is lifted[^]*build host suspected[^]*app is lifted/,
  );
  assert.match(await run('recovery'), /saved to the recovery directory/);
  assert.equal((await readShareFiles(join(system.home.root, 'recover'))).length, 3);
});
