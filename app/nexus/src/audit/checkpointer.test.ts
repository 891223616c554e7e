import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  AuditFile,
  followHandover,
  NoteSigner,
  openCheckpoint,
  verifyCopy,
  type TreeHead,
} from '@spike/audit';
import { SpikeError } from '@spike/error';
import { createLog } from '@spike/log';
import { Checkpointer, readCheckpoint } from './checkpointer.ts';
import { createAge, Retention } from './retention.ts';

const signal = AbortSignal.timeout(120_000);
const origin = 'spike.ist/spike/i/nexus/1';
const signerOf = (fill: number): NoteSigner =>
  new NoteSigner(origin, (use) => use(new Uint8Array(32).fill(fill)));
const log = createLog({ component: 'test', level: 'error', write: () => undefined });

async function open(signers: readonly NoteSigner[] = [signerOf(1)]) {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'spike-checkpoint-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const heads: TreeHead[] = [];
  const notes: string[] = [];
  const audit = stack.use(await AuditFile.open({ directory: join(directory, 'audit'), signal }));
  const options = {
    audit,
    signers,
    directory: join(directory, 'audit'),
    everyMs: 10,
    onSigned: (head: TreeHead) => void heads.push(head),
    sinks: [{ checkpoint: (note: string) => void notes.push(note) }],
    note: (action: string, fields: Readonly<Record<string, string | number>>) =>
      JSON.stringify({ action, ...fields }).slice(1),
    log,
  };
  const file = join(directory, 'audit', 'checkpoint');
  const owned = stack.move();
  return { audit, options, heads, notes, file, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const isBroken = (error: unknown): boolean => error instanceof SpikeError && error.code === 'store_integrity';

test('a checkpoint covers what was appended, and goes to the file, the anchor and every sink', async () => {
  await using rig = await open();
  await using checkpointer = await Checkpointer.open(rig.options, undefined);
  await rig.audit.append('"a":1}');
  const signed = await checkpointer.sign();
  assert.deepEqual([signed.size, rig.heads[0]?.size, rig.notes], [1, 1, [signed.note]]);
  assert.equal(await readFile(rig.file, 'utf8'), signed.note);
  assert.equal((await stat(rig.file)).mode & 0o777, 0o600);
  assert.equal(openCheckpoint(signed.note, signerOf(1).verifier).size, 1);
  assert.equal((await checkpointer.sign()).note, signed.note);
  assert.equal(rig.notes.length, 1, 'nothing new, nothing signed');
});

test('who asks while one is made gets one that has what came before he asked', async () => {
  await using rig = await open();
  await using checkpointer = await Checkpointer.open(rig.options, undefined);
  const sizes = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const { sequence } = await rig.audit.append('"a":1}');
      const { size } = await checkpointer.sign();
      return size > sequence;
    }),
  );
  assert.ok(sizes.every(Boolean));
  assert.ok(rig.notes.length < 50, 'many share one');
});

test('it signs at intervals and at its end, and after that no more', async () => {
  await using rig = await open();
  const checkpointer = await Checkpointer.open(rig.options, undefined);
  await rig.audit.append('"a":1}');
  const { promise, resolve } = Promise.withResolvers<undefined>();
  rig.options.sinks.push({
    checkpoint: () => {
      resolve(undefined);
    },
  });
  checkpointer.start();
  await promise;
  await rig.audit.append('"b":1}');
  await checkpointer[Symbol.asyncDispose]();
  assert.equal((await readCheckpoint(rig.options.directory))?.size, 2);
  await assert.rejects(checkpointer.sign(), isBroken);
});

test('a log that is not the one that was signed is signed no more', async () => {
  await using rig = await open();
  await using checkpointer = await Checkpointer.open(rig.options, undefined);
  checkpointer.halt('it is another');
  checkpointer.nudge();
  checkpointer.start();
  await assert.rejects(checkpointer.sign(), isBroken);
  assert.equal(await readCheckpoint(rig.options.directory), undefined);
});

test('a new key is announced by a leaf and a checkpoint that both keys sign, and who knew the old one follows', async () => {
  const [old, next, third] = [signerOf(1), signerOf(2), signerOf(3)];
  await using rig = await open([old]);
  await rig.audit.append('"a":1}');
  await (await Checkpointer.open(rig.options, undefined))[Symbol.asyncDispose]();
  const notes: string[] = [];
  for (const signers of [
    [old, next],
    [old, next, third],
  ]) {
    const last = await readCheckpoint(rig.options.directory);
    await using checkpointer = await Checkpointer.open({ ...rig.options, signers }, last);
    notes.push(checkpointer.last?.note ?? '');
    await rig.audit.append('"b":1}');
    await checkpointer.sign();
  }
  const last = await readCheckpoint(rig.options.directory);
  await using checkpointer = await Checkpointer.open({ ...rig.options, signers: [old, next, third] }, last);
  assert.equal(checkpointer.last?.note, last?.note, 'nothing to hand over any more');
  const handovers = await checkpointer.handovers.prove(rig.audit, signal);
  const followed = handovers.reduce(followHandover, old.verifier);
  assert.equal(followed.toString(), checkpointer.key);
  const lines = await Array.fromAsync(rig.audit.scan(0, signal));
  const text = lines.map(({ line }) => `${line}\n`).join('');
  async function* bytes(): AsyncGenerator<Uint8Array> {
    yield await Promise.resolve(Buffer.from(text));
  }
  const verified = await verifyCopy({
    bytes: bytes(),
    checkpoints: [...notes, last?.note ?? ''],
    key: old.verifier,
  });
  assert.deepEqual([verified.findings, verified.key.toString()], [[], third.verifier.toString()]);
});

test('a handover that was broken off behind its checkpoint is followed after the next start', async () => {
  const [old, next] = [signerOf(1), signerOf(2)];
  await using rig = await open([old]);
  await rig.audit.append('"a":1}');
  await (await Checkpointer.open(rig.options, undefined))[Symbol.asyncDispose]();
  const stop = (): never => {
    throw new Error('stopped');
  };
  const last = await readCheckpoint(rig.options.directory);
  const stopped = { ...rig.options, signers: [old, next], onSigned: stop };
  await assert.rejects(Checkpointer.open(stopped, last), /stopped/);
  const found = await readCheckpoint(rig.options.directory);
  await using checkpointer = await Checkpointer.open({ ...rig.options, signers: [old, next] }, found);
  const handovers = await checkpointer.handovers.prove(rig.audit, signal);
  assert.equal(handovers.reduce(followHandover, old.verifier).toString(), checkpointer.key);
});

test('a key that comes while it runs is announced with the next checkpoint, or with the first that can be made', async () => {
  const [old, next] = [signerOf(1), signerOf(2)];
  await using rig = await open([old]);
  await using checkpointer = await Checkpointer.open(rig.options, undefined);
  await rig.audit.append('"a":1}');
  await checkpointer.sign();
  await rm(rig.file);
  await mkdir(join(rig.file, 'stone'), { recursive: true });
  await assert.rejects(checkpointer.adopt(next), { code: 'audit_unavailable' });
  assert.equal(checkpointer.key, old.verifier.toString(), 'nobody was told of another');
  await rm(rig.file, { recursive: true });
  const both = await checkpointer.sign();
  assert.equal(checkpointer.key, next.verifier.toString());
  assert.ok([old, next].every(({ verifier }) => verifier.verifies(both.signed)));
  await rig.audit.append('"b":1}');
  const after = await checkpointer.sign();
  assert.deepEqual(
    [old, next].map(({ verifier }) => verifier.verifies(after.signed)),
    [false, true],
  );
  // The one that was broken off is among them, and misleads nobody.
  const handovers = await checkpointer.handovers.prove(rig.audit, signal);
  const followed = handovers.reduce((key, handover) => {
    try {
      return followHandover(key, handover);
    } catch {
      return key;
    }
  }, old.verifier);
  assert.equal(followed.toString(), checkpointer.key);
});

test('a checkpoint that cannot be kept is a problem until one can, and is given to nobody', async () => {
  await using rig = await open();
  await using checkpointer = await Checkpointer.open(rig.options, undefined);
  await rig.audit.append('"a":1}');
  // What stands in its place cannot be replaced by a file.
  await mkdir(join(rig.file, 'stone'), { recursive: true });
  await assert.rejects(checkpointer.sign(), { code: 'audit_unavailable' });
  assert.match(
    checkpointer.problem ?? '',
    /no checkpoint of the audit could be made: .*\(EISDIR|ENOTEMPTY\)/u,
  );
  assert.deepEqual([rig.notes, rig.heads], [[], []]);
  await rm(rig.file, { recursive: true });
  await checkpointer.sign();
  assert.equal(checkpointer.problem, undefined);
  assert.equal(rig.notes.length, 1);
});

test('a checkpoint file that is damaged says nothing', async () => {
  await using rig = await open();
  await writeFile(rig.file, 'what?', { mode: 0o600 });
  assert.equal(await readCheckpoint(rig.options.directory), undefined);
});

test('a clock that is set forward makes no line old, one that is set back none young for good', () => {
  let [wall, ticks] = [1_000_000, 50];
  const age = createAge(
    () => wall,
    () => ticks,
  );
  [wall, ticks] = [wall + 500, ticks + 500];
  assert.equal(age(), 1_000_500);
  wall += 365 * 86_400_000;
  ticks += 1;
  assert.equal(age(), 1_000_501);
  wall = 900_000;
  assert.equal(age(), 900_000);
});

test('old lines are signed, given up and noted, as far as nobody needs them', async () => {
  await using rig = await open();
  await using checkpointer = await Checkpointer.open(rig.options, undefined);
  let now = Date.parse('2026-05-01T00:00:00Z');
  let neededFrom = 0;
  const refused: number[] = [];
  const retention = new Retention({
    ...rig.options,
    keepMs: 10 * 86_400_000,
    keepBytes: undefined,
    neededFrom: () => neededFrom,
    sign: async () => checkpointer.sign(),
    onRefused: (from) => void refused.push(from),
    now: () => now,
  });
  for (let day = 0; day < 20; day++) {
    now += 86_400_001;
    await retention.look(signal);
    await rig.audit.append(`"time":"${new Date(now).toISOString()}"}`);
  }
  assert.equal(rig.audit.first, 0);
  neededFrom = rig.audit.size;
  await retention.look(signal);
  assert.ok(rig.audit.first >= 8, `${rig.audit.first}`);
  assert.deepEqual(await rig.audit.verify(signal), { ok: true });
  const last = (await Array.fromAsync(rig.audit.scan(0, signal))).at(-1)?.line ?? '';
  assert.match(last, /"action":"audit.sealed","from":\d+,"to":\d+,"bytes":\d+/u);
  assert.deepEqual(refused, []);
});
