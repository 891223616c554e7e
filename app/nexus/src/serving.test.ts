import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AuditFile, NoteSigner, signCheckpoint } from '@spike/audit';
import { SpikeError } from '@spike/error';
import { createLog } from '@spike/log';
import { RoleBook } from '@spike/server';
import { TrustDomain } from '@spike/spiffe';
import type { ListOptions, Row, Table } from '@spike/store';
import { openMemoryStore } from '@spike/store';
import type { LayerSettings } from './admin/layer.ts';
import { MemoryAlerts } from './alert/testing/sink.ts';
import { FileAudit } from './audit-port.ts';
import type { SealedPart } from './book/sealed-book.ts';
import { noHistory } from './history/port.ts';
import { Serving, type ServingOptions } from './serving.ts';
import { countRecords } from './reset/count.ts';
import { grantOn } from './service/testing/grant.ts';
import { plainServing } from './testing/serving.ts';
import { AnchorFile } from './vault/anchor-file.ts';
import { OpenInstance } from './vault/instance.ts';
import { FaultyStore } from './vault/testing/faulty-store.ts';
import { createTestInstance } from './vault/testing/instance.ts';

const signal = AbortSignal.timeout(120_000);
const log = createLog({ component: 'test', level: 'error', write: () => undefined });

/** Two layers. */
function guarded(directory: string): LayerSettings {
  return {
    passwords: { minLength: 14, minScore: 3 },
    remembered: 5,
    idleMs: 60_000,
    lockout: { failures: 5, ms: 60_000 },
    initCodeFile: join(directory, 'nexus', 'init-code'),
    roles: RoleBook.ofOne(TrustDomain.parse('spike.ist')),
    alerts: { raise: () => undefined },
  };
}

/** A disk that gives back another bit in each record of one table. */
class RottenStore extends FaultyStore {
  rotten: Table | undefined;
  /** How often all of it was looked at. */
  verified = 0;
  /** Of the pages that it gave out, in bytes. */
  largest = 0;

  override verify(asked: AbortSignal): ReturnType<FaultyStore['verify']> {
    this.verified += 1;
    return super.verify(asked);
  }

  override async list(table: Table, prefix: Uint8Array, options: ListOptions): Promise<readonly Row[]> {
    const rows = await super.list(table, prefix, options);
    this.largest = Math.max(
      this.largest,
      rows.reduce((sum, { body }) => sum + body.byteLength, 0),
    );
    if (table !== this.rotten) return rows;
    return rows.map((row) => {
      const nonce = Uint8Array.from(row.nonce);
      nonce[0] = (nonce[0] ?? 0) ^ 1;
      return { ...row, nonce };
    });
  }
}

async function open(access?: LayerSettings) {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'spike-serving-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const audit = stack.use(await AuditFile.open({ directory: join(directory, 'audit'), signal }));
  const store = new RottenStore(openMemoryStore());
  const { instance, rootKey } = await createTestInstance(store);
  const fileAudit = new FileAudit(audit);
  const alerts = new MemoryAlerts();
  const plain = plainServing(directory);
  const { sinks } = plain.logKeeping;
  const options = {
    store,
    audit,
    fileAudit,
    ...plain,
    alerts,
    history: noHistory,
    sealed: [],
    access,
    emergency: {
      roles: RoleBook.ofOne(TrustDomain.parse('spike.ist')),
      alerts: { raise: () => undefined },
      breakglassDelayMs: 1_000,
    },
    denial: {
      roles: RoleBook.ofOne(TrustDomain.parse('spike.ist')),
      alerts: { raise: () => undefined },
      cut: () => 0,
    },
    log,
    signal,
  };
  const serving = stack.use(await Serving.open(instance, options));
  /** What a process does that starts on the same store and the same audit. */
  const again = async (
    sealed: readonly SealedPart[] = [],
    more: Partial<ServingOptions> = {},
  ): Promise<Serving> => {
    const head = await store.head();
    const another = OpenInstance.open(rootKey, head?.bytes ?? new Uint8Array());
    instances.push(another);
    return Serving.open(another, { ...options, sealed, ...more });
  };
  const instances: OpenInstance[] = [];
  const owned = stack.move();
  return {
    serving,
    store,
    audit,
    fileAudit,
    alerts,
    again,
    instances,
    directory,
    sinks,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

test('with one layer alone the audit says so at each unlocking, and with two it does not', async () => {
  const count = async (access?: LayerSettings): Promise<readonly number[]> => {
    await using rig = await open(access);
    const counted: number[] = [];
    const read = async (): Promise<void> => {
      let lines = 0;
      for await (const { line } of rig.audit.scan(0, signal)) if (line.includes('"access.svid"')) lines += 1;
      counted.push(lines);
    };
    await read();
    await rig.serving[Symbol.asyncDispose]();
    await using _again = await rig.again();
    await read();
    return counted;
  };
  assert.deepEqual(await count(), [1, 2]);
  const directory = await mkdtemp(join(tmpdir(), 'spike-serving-'));
  try {
    assert.deepEqual(await count(guarded(directory)), [0, 0]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

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
  assert.deepEqual(rig.alerts.kinds, ['store_integrity']);
});

test('one full check runs at a time, whoever asks for it, and a check of the audit waits for its turn', async () => {
  await using rig = await open();
  for (let n = 0; n < 5; n++) await rig.serving.secrets.put(grantOn(`t/${n}`), { k: 'v' });
  const asked = Array.from({ length: 20 }, () => rig.serving.verify(signal));
  const ofAudit = rig.serving.audit.verify(signal);
  const found = await Promise.all(asked);
  assert.equal(rig.store.verified, 1);
  assert.equal(new Set(found).size, 1);
  assert.ok(found[0]?.ok);
  assert.ok((await ofAudit).ok);
  await rig.serving.verify(signal);
  assert.equal(rig.store.verified, 2, 'who asks later has another one');
});

test('a full check and a count leave turns to other work, and hold a page of records at most', async () => {
  await using rig = await open();
  for (let n = 0; n < 60; n++) await rig.serving.secrets.put(grantOn(`t/${n}`), { k: 'v'.repeat(60_000) });
  for (const walk of [
    async () => void (await rig.serving.verify(signal)),
    async () => void (await countRecords(rig.store, signal)),
  ]) {
    let turns = 0;
    let isOver = false;
    const turn = (): void => {
      turns += 1;
      if (!isOver) setImmediate(turn);
    };
    rig.store.largest = 0;
    setImmediate(turn);
    await walk();
    isOver = true;
    assert.ok(turns >= 4, `${turns} turns`);
    assert.ok(rig.store.largest > 0 && rig.store.largest < 1_500_000, `a page of ${rig.store.largest} bytes`);
  }
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
  const outbox = {
    recorded: (trail: string, sequence: number) => void recorded.push([trail, sequence]),
    owes: () => false,
  };
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

test('what was cut off the audit is noted once, however often the instance is opened', async () => {
  await using rig = await open();
  const path = join(rig.directory, 'audit', '00000000000000000000.jsonl');
  await rig.audit.sync();
  await appendFile(path, 'torn');
  await using audit = await AuditFile.open({ directory: join(rig.directory, 'audit'), signal });
  for (let count = 0; count < 2; count++) {
    const serving = await rig.again([], { audit, fileAudit: new FileAudit(audit) });
    await serving[Symbol.asyncDispose]();
  }
  const lines = await Array.fromAsync(audit.scan(0, signal), ({ line }) => line);
  const cuts = lines.filter((line) => line.includes('"audit.cut"'));
  assert.equal(cuts.length, 1);
  assert.match(cuts[0] ?? '', /"bytes":4[,}]/);
});

test('a damaged line does not keep the store locked while the outbox holds records', async () => {
  await using rig = await open();
  const record = { trail: 'kept', record: JSON.stringify({ salt: '0', trail: 'kept', outcome: 'ok' }) };
  await rig.fileAudit.append({ trail: 'x', record: '{"trail":"x"}' }, { committed: false });
  await rig.serving.secrets.put(grantOn('t/a'), { k: 'v' }, { record });
  const path = join(rig.directory, 'audit', '00000000000000000000.jsonl');
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace('"trail"', '"trail}'));
  await using _serving = await rig.again();
  const lines = await Array.fromAsync(rig.audit.scan(0, signal));
  assert.equal(lines.filter(({ line }) => line.includes('"trail":"kept"')).length, 1);
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
  let told = 0;
  const fileAudit = new FileAudit(
    {
      append: writes,
      appendUnready: () => undefined,
      assertRoom: () => undefined,
      synced: { size: 0, root: new Uint8Array(32) },
    },
    () => (told += 1),
  );
  fileAudit.attach({
    recorded: (trail, sequence) => void recorded.push([trail, sequence]),
    owes: (trail) => trail !== 'nothing changed',
  });
  const draft = (trail: string) => ({ trail, record: JSON.stringify({ trail }) });
  full = true;
  // What was made and whose record lies in the outbox is no failure.
  for (const trail of ['a', 'b']) await fileAudit.append(draft(trail), { committed: true });
  assert.equal(told, 2);
  // What changed nothing is answered as a failure, so it is no success later on.
  await assert.rejects(fileAudit.append(draft('nothing changed'), { committed: true }));
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

test('a change whose request failed behind its commit is in the audit at once, and there once', async () => {
  await using rig = await open();
  const draft = (trail: string) => ({
    trail,
    record: JSON.stringify({ salt: '0', trail, outcome: 'ok' }),
  });
  const made = draft('made');
  await rig.serving.secrets.put(grantOn('t/a'), { k: 'v' }, { record: made });
  // It is looked for again while the first is being written.
  await Promise.all(
    [made, draft('not made'), made].map((one) =>
      rig.fileAudit.appendIfCommitted(one, { action: 'secret.put' }),
    ),
  );
  await using _serving = await rig.again();
  const trails = await Array.fromAsync(
    rig.audit.scan(0, signal),
    ({ line }) => /"trail":"(made|not made)"/.exec(line)?.[1],
  );
  assert.deepEqual(
    trails.filter((trail) => trail !== undefined),
    ['made'],
  );
});

test('an audit that is not the one that was signed is told, and signed no more', async () => {
  await using rig = await open();
  await rig.audit.append('"n":1}');
  const signed = await rig.serving.checkpointer.sign();
  assert.match(signed.origin, /^spike\.ist\/spike\/[0-9a-f-]{36}\/nexus\/1$/u);
  {
    await using again = await rig.again();
    assert.deepEqual(again.warnings, []);
    // A line that was appended, and one of each unlocking.
    assert.equal((await again.checkpointer.sign()).size, 3);
  }
  const path = join(rig.directory, 'audit', 'checkpoint');
  const { audit } = (await rig.again()).instance;
  const [signer] = audit.signers(signed.origin);
  assert.ok(signer !== undefined);
  // As the checkpoint of a log that had another line, or more of them.
  for (const head of [
    { size: 1, root: Buffer.alloc(32) },
    { size: 99, root: Buffer.alloc(32) },
  ]) {
    await writeFile(path, signCheckpoint({ origin: signed.origin, ...head }, [signer]).note);
    await using again = await rig.again();
    assert.match(
      again.warnings.join(),
      /^the audit is (?:different|shorter) than the last checkpoint says$/u,
    );
    await assert.rejects(again.checkpointer.sign(), { code: 'store_integrity' });
    assert.equal((await again.audit.verify(signal)).ok, false);
  }
  // One that we never signed says nothing.
  const stranger = new NoteSigner(signed.origin, (use) => use(new Uint8Array(32)));
  await writeFile(
    path,
    signCheckpoint({ origin: signed.origin, size: 99, root: Buffer.alloc(32) }, [stranger]).note,
  );
  await using last = await rig.again();
  assert.deepEqual(last.warnings, []);
});

test('nothing is committed on a store that no anchor was written for', async () => {
  await using rig = await open();
  await rig.serving[Symbol.asyncDispose]();
  const failures: SpikeError[] = [];
  await using anchorFile = await AnchorFile.open({
    path: join(rig.directory, 'anchor.json'),
    // Not by the timer.
    delayMs: 60_000,
    onError: (error) => failures.push(error),
  });
  await using _serving = await rig.again([], { anchorFile });
  assert.equal((await readFile(join(rig.directory, 'anchor.json'), 'utf8')).length > 0, true);
  assert.deepEqual(failures, []);
});

test('what an administrator does is signed at once, and what a workload reads is not', async () => {
  await using rig = await open();
  const { promise, resolve } = Promise.withResolvers<string>();
  rig.sinks.push({ checkpoint: resolve });
  const record = (trail: string) => ({ trail, record: `{"trail":"${trail}"}` });
  await rig.fileAudit.append(record('a'), { committed: false, action: 'secret.get' });
  await rig.fileAudit.append(record('b'), { committed: false, action: 'operator.status' });
  assert.equal(rig.serving.checkpointer.last, undefined);
  await rig.fileAudit.append(record('c'), { committed: false, action: 'policy.put' });
  // With the line of the unlocking.
  assert.match(await promise, /\n4\n/u);
});

test('what cannot be opened, or not be closed in order, leaves nothing attached and no key all the same', async () => {
  await using rig = await open();
  const steps: string[] = [];
  const part = (name: string, fails: 'attach' | 'detach' | ''): SealedPart => ({
    attach: async () => {
      steps.push(`attach ${name}`);
      if (fails === 'attach') throw new SpikeError('store_failed', 'the disk is broken');
    },
    detach: async () => {
      steps.push(`detach ${name}`);
      if (fails === 'detach') throw new SpikeError('store_failed', 'the disk is broken');
    },
  });
  await assert.rejects(rig.again([part('a', ''), part('b', 'attach'), part('c', '')]), {
    code: 'store_failed',
  });
  assert.deepEqual(steps.splice(0), ['attach a', 'attach b', 'detach b', 'detach a']);
  const serving = await rig.again([part('a', ''), part('b', 'detach')]);
  const looking = assert.rejects(
    serving.verify(signal),
    { code: 'state_not_ready' },
    'records are not looked at without their keys',
  );
  await assert.rejects(serving[Symbol.asyncDispose](), { code: 'store_failed' });
  await looking;
  assert.deepEqual(steps, ['attach a', 'attach b', 'detach b', 'detach a']);
  assert.equal(rig.instances.length, 2);
  for (const instance of rig.instances) assert.throws(() => instance.keeper.rootKey(), /wiped/);
  assert.deepEqual(rig.alerts.kinds, []);
});
