import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { SpikeError } from '@spike/error';
import { appendStep, readJournal, verifyScript } from '@spike/reset';
import { createTestInstance, hasCode, openTestLedger } from '../vault/testing/instance.ts';
import type { ResetPlace } from './place.ts';
import { closedApprovals } from './port.ts';
import { ResetService, type ResetGrant } from './reset.ts';
import { testPorts } from './testing/port.ts';

const signal = AbortSignal.timeout(120_000);
const asked = { signal, check: () => undefined };
const id = 'spiffe://spike.ist/spike/pilot/role/superuser/ann';
const grantOf = (privilege: 'reset.explain' | 'reset.print', name = 'ann'): ResetGrant => ({
  peer: { id: { toString: () => id } },
  permission: { privilege },
  administrator: { name },
});
const explaining = grantOf('reset.explain');
const printing = grantOf('reset.print');
const backup = { path: '/backup/b.age', size: 10, sha256: 'ab'.repeat(32), createdAt: new Date(0) };

async function open(context: TestContext, ports = testPorts()) {
  const root = await mkdtemp(join(tmpdir(), 'spike-reset-'));
  context.after(() => rm(root, { recursive: true }));
  const made = await createTestInstance();
  const ledger = await openTestLedger(made);
  context.after(() => ledger[Symbol.asyncDispose]());
  const { instance, vault, reset: keys } = made.instance;
  for (const [table, paths] of [
    ['secret', ['a', 'b']],
    ['secret_version', ['a', 'b', 'c']],
    ['policy', ['p']],
  ] as const) {
    for (const path of paths) {
      const key = vault.key(table, [path]);
      const row = vault.seal(table, key, { revision: 1, version: 0, field: 0 }, Buffer.from(path));
      await ledger.commit([{ kind: 'put', table, row, expect: 'absent' }]);
    }
  }
  const place: ResetPlace = {
    dataDirectory: join(root, 'data'),
    anchorFile: join(root, 'anchor.json'),
    aside: [{ what: 'audit directory', path: join(root, 'audit') }],
    journal: join(root, 'reset.journal'),
    pinned: true,
    addresses: () => [{ what: 'Nexus', part: 'nexus', host: '127.0.0.1', port: 8553 }],
    node: { path: process.execPath, sha256: () => Promise.resolve('cd'.repeat(32)), holdsHelper: false },
  };
  const options = { instance, keys, ledger, place, ports };
  return { instance, place, ports, options, service: new ResetService(options) };
}

test('it explains what would be lost, prints nothing, and every call raises an alert', async (context) => {
  const { service, place, instance, ports } = await open(
    context,
    testPorts({
      backups: { newest: () => Promise.resolve(new Date(5)) },
    }),
  );
  const step = {
    script: '20260101000000-00000000',
    user: 'ann',
    host: 'h',
    detail: '',
    time: new Date(7_000),
  };
  await appendStep(place.journal, { ...step, instance, step: 'dry-run-passed' });
  await appendStep(place.journal, {
    ...step,
    instance: 'another-one',
    step: 'dry-run-passed',
    time: new Date(),
  });
  const explained = await service.explain(explaining, signal);
  assert.deepEqual(explained.counts, { secrets: 2, versions: 3, policies: 1, administrators: 0 });
  assert.deepEqual(explained.newestBackup, new Date(5));
  assert.deepEqual(explained.lastDryRun, new Date(7_000), 'of this instance');
  assert.equal(await service.lastTested(), 7_000);
  assert.deepEqual(ports.raised, ['ann: explain']);
  assert.equal((await readJournal(place.journal)).length, 2);
});

test('a printed script is signed, names what it is for, and begins the journal', async (context) => {
  const { service, place, instance, ports } = await open(context);
  const { script, keyId, expiresAt } = await service.print(printing, { instance, backup: undefined }, asked);
  const trusted = service.keys.keys.map(({ publicKey }) => publicKey);
  const verified = verifyScript(Buffer.from(script), trusted);
  assert.equal(verified.keyId, keyId);
  assert.equal(verified.instance, instance);
  assert.equal(verified.expiresAt.getTime(), expiresAt.getTime());
  assert.match(script, /contents='2 secrets in 3 versions, 1 policies, 0 administrators'/);
  const [printed] = await readJournal(place.journal);
  assert.deepEqual([printed?.step, printed?.user, printed?.instance], ['printed', 'ann', instance]);
  assert.deepEqual(ports.raised, ['ann: print']);
  assert.deepEqual(ports.asked, [], 'without a backup nobody has to approve');
});

test('another instance than the one that runs is refused, which is told of as well', async (context) => {
  const { service, place, ports } = await open(context);
  const request = { instance: 'another-instance', backup: undefined };
  await assert.rejects(service.print(printing, request, asked), hasCode('data_invalid_input'));
  assert.deepEqual(await readJournal(place.journal), []);
  assert.deepEqual(ports.raised, ['ann: print']);
});

test('with a backup the holders of recovery shares have to approve, for this instance', async (context) => {
  const { service, instance, ports, options, place } = await open(context);
  const closed = new ResetService({ ...options, ports: { ...ports, approvals: closedApprovals } });
  await assert.rejects(closed.print(printing, { instance, backup }, asked), hasCode('approval_required'));
  assert.deepEqual(await readJournal(place.journal), []);
  const { script } = await service.print(printing, { instance, backup }, asked);
  assert.match(script, /^backup='\/backup\/b\.age'$/m);
  assert.deepEqual(ports.asked, [{ kind: 'reset', target: instance, administrator: 'ann' }]);
});

test('a request whose session is gone by then uses no approval up and leaves nothing in the journal', async (context) => {
  const { service, instance, ports, place } = await open(context);
  const check = (): never => {
    throw new SpikeError('session_required', 'log in first');
  };
  for (const given of [backup, undefined]) {
    const printed = service.print(printing, { instance, backup: given }, { signal, check });
    await assert.rejects(printed, hasCode('session_required'));
  }
  assert.deepEqual(ports.asked, []);
  assert.deepEqual(await readJournal(place.journal), []);
  await service.print(printing, { instance, backup }, asked);
  assert.equal(ports.asked.length, 1, 'the approval is still there for who has a session');
});

test('a backup that lies in what is removed is refused before anybody is asked', async (context) => {
  const { service, instance, place, ports } = await open(context);
  const inside = { ...backup, path: join(place.dataDirectory, 'b.age') };
  const printed = service.print(printing, { instance, backup: inside }, asked);
  await assert.rejects(printed, hasCode('data_invalid_input'));
  assert.deepEqual(ports.asked, []);
});

test('where the journal cannot be written, or is another file, nothing is printed', async (context) => {
  const { service, instance, place } = await open(context);
  await rm(place.journal, { force: true });
  await writeFile(place.journal, 'something else\n');
  await assert.rejects(service.print(printing, { instance, backup: undefined }, asked), hasCode('fs_unsafe'));
  assert.equal(await readFile(place.journal, 'utf8'), 'something else\n');
  await rm(place.journal);
  await symlink('/etc/passwd', place.journal);
  await assert.rejects(service.lastDryRun(), hasCode('fs_unsafe'));
  assert.equal(await service.lastTested(), undefined, 'the status goes on without it');
});

test('a store in memory has nothing to reset', async (context) => {
  const { options, instance } = await open(context);
  const service = new ResetService({ ...options, place: undefined });
  await assert.rejects(service.explain(explaining, signal), hasCode('api_bad_request'));
  await assert.rejects(
    service.print(printing, { instance, backup: undefined }, asked),
    hasCode('api_bad_request'),
  );
  assert.equal(await service.lastDryRun(), undefined);
});

test('in svid mode the journal names the SPIFFE ID', async (context) => {
  const { service, instance, place } = await open(context);
  await service.print(grantOf('reset.print', ''), { instance, backup: undefined }, asked);
  assert.equal((await readJournal(place.journal))[0]?.user, id);
});
