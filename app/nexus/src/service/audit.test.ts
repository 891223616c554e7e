import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AuditFile, NoteSigner, openCheckpoint, verifyConsistency, verifyInclusion } from '@spike/audit';
import { createLog } from '@spike/log';
import { MemoryAlerts } from '../alert/testing/sink.ts';
import { Checkpointer } from '../audit/checkpointer.ts';
import { createTestInstance, hasCode, openTestLedger } from '../vault/testing/instance.ts';
import { AuditService, type GrantedAudit } from './audit.ts';
import { KeyedLock } from './keyed-lock.ts';

const signal = AbortSignal.timeout(120_000);
const signer = new NoteSigner('log', (use) => use(new Uint8Array(32).fill(1)));
const log = createLog({ component: 'test', level: 'error', write: () => undefined });
const all: GrantedAudit = { permission: { tenant: undefined }, administrator: { name: 'ann' } };
const acme: GrantedAudit = { permission: { tenant: ['tenants', 'acme'] }, administrator: { name: 'bob' } };

async function open() {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'spike-audit-service-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const file = stack.use(await AuditFile.open({ directory, signal }));
  const made = await createTestInstance();
  const ledger = stack.use(await openTestLedger(made));
  const checkpointer = stack.use(
    await Checkpointer.open(
      {
        audit: file,
        signers: [signer],
        directory,
        everyMs: 60_000,
        onSigned: () => undefined,
        sinks: [],
        note: () => '',
        log,
      },
      undefined,
    ),
  );
  const warnings: string[] = [];
  const alerts = new MemoryAlerts();
  const service = new AuditService({
    file,
    checkpointer,
    ledger,
    vault: made.instance.vault,
    warnings: () => warnings,
    alerts,
    turns: new KeyedLock(),
  });
  const owned = stack.move();
  return {
    directory,
    file,
    service,
    checkpointer,
    warnings,
    alerts,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

interface Given {
  readonly action?: string;
  readonly path?: string;
  readonly administrator?: string;
  readonly spiffeId?: string;
  readonly outcome?: string;
  readonly time?: string;
}

async function add(file: AuditFile, given: Given = {}): Promise<void> {
  const line = {
    time: '2026-05-01T00:00:00.000000Z',
    spiffeId: 'spiffe://spike.ist/app',
    action: 'secret.get',
    outcome: 'ok',
  };
  await file.append(JSON.stringify({ ...line, ...given }).slice(1));
}

const sequencesOf = (lines: readonly string[]): number[] =>
  lines.map((line) => (JSON.parse(line) as { sequence: number }).sequence);

test('the tail is the last lines, and goes on behind them', async () => {
  await using rig = await open();
  for (let n = 0; n < 10; n++) await add(rig.file);
  const first = await rig.service.tail(all, { limit: 3 }, signal);
  assert.deepEqual([sequencesOf(first.lines), first.next], [[7, 8, 9], 10]);
  assert.deepEqual(await rig.service.tail(all, { after: 10, limit: 3 }, signal), { lines: [], next: 10 });
  await add(rig.file);
  assert.deepEqual(sequencesOf((await rig.service.tail(all, { after: 10, limit: 3 }, signal)).lines), [10]);
  const page = await rig.service.tail(all, { after: 2, limit: 4 }, signal);
  assert.deepEqual([sequencesOf(page.lines), page.next], [[2, 3, 4, 5], 6]);
});

test('the tail has the last lines also when all that may be seen is too much for one answer', async () => {
  await using rig = await open();
  const long = 'x'.repeat(400_000);
  for (let n = 0; n < 12; n++) await add(rig.file, { path: `tenants/acme/${n}/${long}` });
  for (const grant of [all, acme]) {
    const { lines, next } = await rig.service.tail(grant, { limit: 50 }, signal);
    assert.deepEqual([sequencesOf(lines), next], [[7, 8, 9, 10, 11], 12]);
  }
});

test('a search finds what fits all of what is asked, and nothing else', async () => {
  await using rig = await open();
  const lines: Given[] = [
    { path: 'tenants/acme/db' },
    { path: 'tenants/acmeology/db' },
    { path: 'tenants/acme' },
    { action: 'policy.put', administrator: 'ann' },
    { action: 'policy.delete', administrator: 'anna', outcome: 'denied' },
    { action: 'policyholder' },
    { time: '2026-06-01T00:00:00.000000Z', spiffeId: 'spiffe://spike.ist/ap' },
    // What somebody wrote into a path is no field of the line.
    { path: 'x","administrator":"ann' },
  ];
  for (const given of lines) await add(rig.file, given);
  const find = async (filter: object): Promise<number[]> =>
    sequencesOf((await rig.service.search(all, { from: 0, limit: 100, filter }, signal)).lines);
  assert.deepEqual(await find({}), [...lines.keys()]);
  assert.deepEqual(await find({ path: 'tenants/acme' }), [0, 2]);
  assert.deepEqual(await find({ action: 'policy' }), [3, 4]);
  assert.deepEqual(await find({ action: 'policy.put' }), [3]);
  assert.deepEqual(await find({ administrator: 'ann' }), [3]);
  assert.deepEqual(await find({ outcome: 'denied' }), [4]);
  assert.deepEqual(await find({ spiffeId: 'spiffe://spike.ist/ap' }), [6]);
  assert.deepEqual(await find({ since: Date.parse('2026-05-15T00:00:00Z') }), [6]);
  assert.deepEqual(await find({ until: Date.parse('2026-05-15T00:00:00Z'), action: 'policy' }), [3, 4]);
  assert.deepEqual(await find({ administrator: 'ann', outcome: 'denied' }), []);
});

test('a search looks at so many lines at once, and goes on where it stopped', async () => {
  await using rig = await open();
  await Promise.all(
    Array.from({ length: 20_500 }, async (_, n) => add(rig.file, n === 20_300 ? { path: 'needle' } : {})),
  );
  let from: number | undefined = 0;
  const found: number[] = [];
  let pages = 0;
  while (from !== undefined) {
    const page = await rig.service.search(all, { from, limit: 10, filter: { path: 'needle' } }, signal);
    found.push(...sequencesOf(page.lines));
    from = page.next;
    pages += 1;
  }
  assert.deepEqual([found, pages], [[20_300], 2]);
  const review = await rig.service.review(all, undefined, signal);
  assert.deepEqual([review.next, review.rows.length], [20_000, 1]);
  const copy = await rig.service.export(all, { from: 0, limit: 1_000 }, signal);
  assert.deepEqual([copy.lines.length, copy.next, copy.size], [1_000, 1_000, 20_500]);
});

test('a tenant_admin sees the lines of the tenant and his own, and is given no copy', async () => {
  await using rig = await open();
  const lines: Given[] = [
    { path: 'tenants/acme/db' },
    { path: 'tenants/acmeology/db' },
    { path: 'tenants' },
    { action: 'policy.put', administrator: 'ann' },
    { action: 'policy.put', administrator: 'bob' },
    { path: 'other","path":"tenants/acme/x' },
    { action: 'operator.recover' },
  ];
  for (const given of lines) await add(rig.file, given);
  await rig.file.append('"damaged":"tenants/acme"}');
  const visible = [0, 4];
  assert.deepEqual(sequencesOf((await rig.service.tail(acme, { limit: 100 }, signal)).lines), visible);
  assert.deepEqual(
    sequencesOf((await rig.service.tail(acme, { after: 0, limit: 100 }, signal)).lines),
    visible,
  );
  assert.deepEqual(
    sequencesOf((await rig.service.search(acme, { from: 0, limit: 100, filter: {} }, signal)).lines),
    visible,
  );
  const denied = hasCode('access_unauthorized');
  await assert.rejects(rig.service.export(acme, { from: 0, limit: 1 }, signal), denied);
  await assert.rejects(rig.service.review(acme, 0, signal), denied);
  await assert.rejects(rig.service.prove(acme, 1, signal), hasCode('api_not_found'));
  assert.equal((await rig.service.prove(acme, 0, signal)).hashes.length, 3);
  const nameless: GrantedAudit = { ...acme, administrator: { name: '' } };
  assert.deepEqual(sequencesOf((await rig.service.tail(nameless, { limit: 100 }, signal)).lines), [0]);
});

test('a line and an older size are proven against a checkpoint that is signed now', async () => {
  await using rig = await open();
  for (let n = 0; n < 9; n++) await add(rig.file);
  const old = openCheckpoint(await rig.service.checkpoint(), signer.verifier);
  for (let n = 0; n < 9; n++) await add(rig.file);
  const { line, hashes, checkpoint } = await rig.service.prove(all, 11, signal);
  const head = openCheckpoint(checkpoint, signer.verifier);
  assert.ok(verifyInclusion({ index: 11, bytes: Buffer.from(line) }, head, hashes));
  const proof = await rig.service.consistency(old.size, signal);
  assert.ok(verifyConsistency(old, openCheckpoint(proof.checkpoint, signer.verifier), proof.hashes));
  await assert.rejects(rig.service.consistency(1_000, signal), hasCode('api_not_found'));
  await assert.rejects(rig.service.prove(all, 18, signal), hasCode('api_not_found'));
});

test('a review adds up who read what since the last one', async () => {
  await using rig = await open();
  for (let n = 0; n < 3; n++) await add(rig.file, { path: 'a', time: `2026-05-0${n + 1}T00:00:00Z` });
  await add(rig.file, { path: 'a', outcome: 'denied' });
  await add(rig.file, { action: 'secret.put', path: 'a' });
  await add(rig.file, { action: 'operator.recover', administrator: 'ann' });
  const first = await rig.service.review(all, undefined, signal);
  assert.deepEqual(
    first.rows.map(({ action, path, outcome, count, administrator }) => [
      action,
      path,
      outcome,
      count,
      administrator,
    ]),
    [
      ['secret.get', 'a', 'ok', 3, undefined],
      ['secret.get', 'a', 'denied', 1, undefined],
      ['operator.recover', undefined, 'ok', 1, 'ann'],
    ],
  );
  assert.equal(first.rows[0]?.lastTime, '2026-05-03T00:00:00Z');
  assert.deepEqual([first.from, first.to, first.next, first.last], [0, 6, undefined, undefined]);
  assert.equal(await rig.service.lastReview(), undefined);
  await rig.service.finishReview(all, first.to, {});
  await add(rig.file, { path: 'b' });
  const second = await rig.service.review(all, undefined, signal);
  assert.deepEqual(
    [second.rows.map(({ path }) => path), second.from, second.last?.administrator],
    [['b'], 6, 'ann'],
  );
  assert.ok((await rig.service.lastReview()) !== undefined);
  await assert.rejects(rig.service.finishReview(all, 5, {}), hasCode('entity_version_conflict'));
  await assert.rejects(rig.service.finishReview(all, 99, {}), hasCode('data_invalid_input'));
  assert.equal((await rig.service.review(all, 0, signal)).rows.length, 4);
});

test('a check says what is wrong, and what was found at the start', async () => {
  await using rig = await open();
  for (let n = 0; n < 9; n++) await add(rig.file);
  await rig.service.checkpoint();
  assert.deepEqual(await rig.service.verify(signal), { ok: true, size: 9, first: 0, problems: [] });
  rig.warnings.push('the audit is shorter than the anchor says', 'a Keeper is away');
  const { ok, problems } = await rig.service.verify(signal);
  assert.deepEqual([ok, problems], [false, ['the audit is shorter than the anchor says']]);
});

test('a line that is changed while the log is in use is found again and again, and never signed', async () => {
  await using rig = await open();
  for (let n = 0; n < 10; n++) await add(rig.file, { path: `a/${n}` });
  const honest = await rig.checkpointer.sign();
  await add(rig.file);
  const path = join(rig.directory, '00000000000000000000.jsonl');
  // Of the same length, so that it does not show in the size of the file.
  await writeFile(path, (await readFile(path, 'utf8')).replace('"a/3"', '"a/x"'));
  for (let time = 0; time < 3; time++) {
    const { ok } = await rig.service.verify(signal);
    assert.equal(ok, false, `look ${time + 1}`);
    await add(rig.file);
    const later = await rig.checkpointer.sign();
    const proof = await rig.file.rootAt(honest.size, signal);
    assert.notDeepEqual(proof, honest.root, 'the lines on the disk are others');
    assert.equal((await rig.service.verify(signal)).ok, false, `with a checkpoint of ${later.size} lines`);
  }
  assert.deepEqual([...new Set(rig.alerts.kinds)], ['audit_chain_broken']);
});
