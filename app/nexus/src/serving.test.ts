import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AuditFile } from '@spike/audit';
import { SpikeError } from '@spike/error';
import { createLog } from '@spike/log';
import type { ListOptions, Row, Table } from '@spike/store';
import { openMemoryStore } from '@spike/store';
import { FileAudit } from './audit-port.ts';
import { Serving } from './serving.ts';
import { grantOn } from './service/testing/grant.ts';
import { OpenInstance } from './vault/instance.ts';
import { FaultyStore } from './vault/testing/faulty-store.ts';
import { createTestInstance } from './vault/testing/instance.ts';

const signal = AbortSignal.timeout(20_000);
const log = createLog({ component: 'test', level: 'error', write: () => undefined });

/** A disk that gives back another bit in each record of one table. */
class RottenStore extends FaultyStore {
  rotten: Table | undefined;

  override async list(table: Table, prefix: Uint8Array, options: ListOptions): Promise<readonly Row[]> {
    const rows = await super.list(table, prefix, options);
    if (table !== this.rotten) return rows;
    return rows.map((row) => {
      const nonce = Uint8Array.from(row.nonce);
      nonce[0] = (nonce[0] ?? 0) ^ 1;
      return { ...row, nonce };
    });
  }
}

async function open() {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'spike-serving-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const audit = stack.use(await AuditFile.open({ directory: join(directory, 'audit'), signal }));
  const store = new RottenStore(openMemoryStore());
  const { instance, rootKey } = await createTestInstance(store);
  const fileAudit = new FileAudit(audit);
  const options = {
    store,
    audit,
    fileAudit,
    anchorFile: undefined,
    acceptRollback: undefined,
    maxSecretVersions: 10,
    log,
    signal,
  };
  const serving = stack.use(await Serving.open(instance, options));
  /** What a process does that starts on the same store and the same audit. */
  const again = async (): Promise<Serving> => {
    const head = await store.head();
    return Serving.open(OpenInstance.open(rootKey, head?.bytes ?? new Uint8Array()), options);
  };
  const owned = stack.move();
  return { serving, store, audit, fileAudit, again, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test('a full check opens every record and tells which table holds one that does not open', async () => {
  await using rig = await open();
  for (const name of ['a', 'b', 'c']) await rig.serving.secrets.put(grantOn(`t/${name}`), { k: 'v' });
  const whole = await rig.serving.verify(signal);
  assert.equal(whole.ok, true);
  assert.ok(whole.checked >= 6, 'three secrets and their versions');
  rig.store.rotten = 'secret_version';
  const { ok, problems } = await rig.serving.verify(signal);
  assert.equal(ok, false);
  assert.deepEqual([...new Set(problems)], ['a record of the table secret_version does not open']);
});

test('the check in the background notes what is wrong with the store that was just unlocked', async () => {
  await using rig = await open();
  await rig.serving.secrets.put(grantOn('t/a'), { k: 'v' });
  rig.store.rotten = 'secret';
  const hold = setInterval(() => undefined, 1_000);
  try {
    const noted = await new Promise((resolve) => rig.serving.checkInBackground(resolve));
    assert.deepEqual(noted, ['a record of the table secret does not open']);
  } finally {
    clearInterval(hold);
  }
});

test('a record that only the outbox holds is appended once, and the request that made it does not append it again', async () => {
  await using rig = await open();
  const draft = { trail: 'ab', record: JSON.stringify({ salt: '0', trail: 'ab', outcome: 'ok' }) };
  const recorded: [string, number][] = [];
  const outbox = { recorded: (trail: string, sequence: number) => void recorded.push([trail, sequence]) };
  const before = rig.audit.size;
  await rig.fileAudit.replay(draft, outbox);
  rig.fileAudit.attach(outbox);
  await rig.fileAudit.append(draft, { committed: true });
  assert.equal(rig.audit.size, before + 1);
  assert.deepEqual(recorded, [['ab', before]]);
  const next = { trail: 'cd', record: JSON.stringify({ salt: '0', trail: 'cd', outcome: 'ok' }) };
  await rig.fileAudit.append(next, { committed: true });
  assert.deepEqual(recorded.at(-1), ['cd', before + 1]);
  await rig.fileAudit.append(next, { committed: false });
  assert.equal(recorded.length, 2, 'what changed nothing is not in the outbox');
});

test('after a kill at any number of records in the outbox none of them is in the file twice', async () => {
  await using rig = await open();
  const drafts = Array.from({ length: 1_100 }, (_, i) => {
    const trail = `trail-${i}`;
    return { trail, record: JSON.stringify({ salt: '0', trail, outcome: 'ok' }) };
  });
  const write = async (record: (typeof drafts)[number]): Promise<void> => {
    await rig.serving.secrets.put(grantOn(`t/${record.trail}`), { k: 'v' }, { record });
    await rig.fileAudit.append(record, { committed: true });
  };
  const last = drafts.pop();
  assert.ok(last !== undefined);
  await Promise.all(drafts.map(write));
  await rig.audit.sync();
  await write(last);
  await using _serving = await rig.again();
  const trails: string[] = [];
  for await (const { line } of rig.audit.scan(0, signal))
    trails.push(/"trail":"([^"]*)"/.exec(line)?.[1] ?? '');
  for (const { trail } of [...drafts, last])
    assert.equal(trails.filter((one) => one === trail).length, 1, trail);
});

test('a committed record that the audit could not take is appended as soon as it takes others', async () => {
  let full = false;
  const writes = (rest: string): Promise<{ sequence: number }> => {
    if (full) return Promise.reject(new SpikeError('audit_unavailable', 'the disk is full'));
    lines.push(rest);
    return Promise.resolve({ sequence: lines.length - 1 });
  };
  const lines: string[] = [];
  const recorded: [string, number][] = [];
  const fileAudit = new FileAudit({
    append: writes,
    appendUnready: () => undefined,
    synced: { size: 0, root: new Uint8Array(32) },
  });
  fileAudit.attach({ recorded: (trail, sequence) => void recorded.push([trail, sequence]) });
  const draft = (trail: string) => ({ trail, record: JSON.stringify({ trail }) });
  full = true;
  for (const trail of ['a', 'b']) await assert.rejects(fileAudit.append(draft(trail), { committed: true }));
  await assert.rejects(fileAudit.append(draft('read'), { committed: false }));
  full = false;
  await fileAudit.append(draft('later read'), { committed: false });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(lines, ['"trail":"later read"}', '"trail":"a"}', '"trail":"b"}']);
  assert.deepEqual(recorded, [
    ['a', 1],
    ['b', 2],
  ]);
});
