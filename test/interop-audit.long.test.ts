import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { AuditFile, NoteSigner, parseCheckpoint, signCheckpoint } from '@spike/audit';
import { openCaller } from './caller.ts';
import { buildGoTlog } from './interop/build.ts';
import { Program } from './interop/program.ts';
import { openScratch, System } from './system.ts';

/* What SPIKE signs and proves, judged by the code of Go's checksum database. */

const origin = 'spike.ist/spike/i/nexus/1';
const signerOf = (fill: number): NoteSigner =>
  new NoteSigner(origin, (use) => use(new Uint8Array(32).fill(fill)));
const encode = (hashes: readonly Uint8Array[] = []): string[] =>
  hashes.map((hash) => Buffer.from(hash).toString('base64'));

let program: string;
before(async () => {
  program = await buildGoTlog();
});

test('Go verifies checkpoints and proofs of a log of any size, with lines given up and a new key', async () => {
  await using scratch = await openScratch();
  await using go = Program.start(program, []);
  const signal = AbortSignal.timeout(120_000);
  const [old, next] = [signerOf(1), signerOf(2)];
  await using file = await AuditFile.open({ directory: join(scratch.path, 'audit'), signal });
  const lines: string[] = [];
  const notes = new Map<number, string>();
  const sizes = [1, 2, 3, 4, 5, 7, 8, 9, 100, 4_095, 4_096, 4_097, 8_192, 9_000];
  for (const size of sizes) {
    await Promise.all(
      Array.from({ length: size - file.size }, async () => {
        const { sequence } = await file.append(`"salt":"${'x'.repeat(32)}","path":"ä/€"}`);
        lines[sequence] = `{"sequence":${sequence},"salt":"${'x'.repeat(32)}","path":"ä/€"}`;
      }),
    );
    if (size === 100 || size === 4_097) await file.roll();
    const checkpoint = { origin, size, root: file.root() };
    notes.set(size, signCheckpoint(checkpoint, [old]).note);
  }
  assert.equal(await file.seal(0, signal), true);
  const key = old.verifier.toString();
  const ask = async (asked: Readonly<Record<string, unknown>>): Promise<unknown> =>
    (await go.ask({ keys: [key], ...asked }))['ok'];
  for (const size of sizes) {
    const checkpoint = notes.get(size);
    for (const index of new Set([0, size - 1, randomInt(size), randomInt(size)])) {
      const inclusion = encode(await file.proveInclusion(index, size, signal));
      const line = lines[index];
      assert.equal(await ask({ checkpoint, line, index, inclusion }), true, `${index} in ${size}`);
      assert.equal(await ask({ checkpoint, line: `${line} `, index, inclusion }), false);
    }
    for (const first of sizes.filter((one) => one <= size)) {
      const consistency = encode(await file.proveConsistency(first, size, signal));
      const older = notes.get(first);
      assert.equal(await ask({ checkpoint, older, consistency }), true, `${first} to ${size}`);
      if (first < size)
        assert.equal(await ask({ checkpoint, older, consistency: consistency.slice(1) }), false);
    }
  }
  const both = signCheckpoint({ origin, size: file.size, root: file.root() }, [old, next]).note;
  assert.equal(await ask({ checkpoint: both, keys: [key, next.verifier.toString()] }), true);
  assert.equal(await ask({ checkpoint: notes.get(1), keys: [next.verifier.toString()] }), false);
});

test('Go verifies what a running Nexus signs before its key is rotated, at that and after it', async () => {
  await using system = await System.start();
  await using go = Program.start(program, []);
  await using superuser = await openCaller(system);
  const { call } = superuser;
  const before = await call.checkpointAudit({});
  const { key, previous, announced } = await call.rotateAuditKey({});
  assert.ok(announced);
  const handover = (await call.auditKey({})).handovers[0]?.note ?? '';
  const { hashes, checkpoint } = await call.proveConsistency({ size: Number(handover.split('\n')[1]) });
  const ask = async (keys: readonly string[], note: string, more = {}) =>
    (await go.ask({ keys, checkpoint: note, ...more }))['ok'];
  assert.equal(await ask([previous], before.checkpoint), true);
  assert.equal(await ask([key], before.checkpoint), false);
  assert.equal(await ask([previous, key], handover), true, 'both have signed');
  assert.equal(await ask([previous], checkpoint), false);
  const asked = { older: handover, consistency: hashes };
  assert.equal(await ask([key], checkpoint, asked), true, 'the one is the continuation of the other');
  const [first, both] = [before.checkpoint, handover].map(parseCheckpoint);
  assert(first !== undefined && both !== undefined && first.size < both.size);
});

test('Go verifies what a running Nexus signs and proves', async () => {
  await using system = await System.start();
  await using go = Program.start(program, []);
  await using superuser = await openCaller(system);
  const { call } = superuser;
  const { key } = await call.auditKey({});
  const first = await call.checkpointAudit({});
  for (let n = 0; n < 50; n++) await call.listPolicies({ spiffeidPattern: '', pathPattern: '' });
  const { hashes, checkpoint } = await call.proveConsistency({
    size: Number(first.checkpoint.split('\n')[1]),
  });
  const asked = { keys: [key], checkpoint, older: first.checkpoint, consistency: hashes };
  assert.deepEqual(await go.ask(asked), { ok: true });
  for (const sequence of [0, 1, 17, 50]) {
    const proof = await call.proveRecord({ sequence });
    const proven = { keys: [key], checkpoint: proof.checkpoint, line: proof.line, index: sequence };
    assert.deepEqual(await go.ask({ ...proven, inclusion: proof.hashes }), { ok: true });
    assert.equal((await go.ask({ ...proven, index: sequence + 1, inclusion: proof.hashes }))['ok'], false);
  }
});
