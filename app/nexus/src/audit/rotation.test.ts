import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AuditFile, followHandover, VerifierKey } from '@spike/audit';
import { createLog } from '@spike/log';
import { createTestInstance, hasCode, openTestLedger } from '../vault/testing/instance.ts';
import { unwrapKeyring } from '../vault/keyring.ts';
import { parseHead } from '../vault/head.ts';
import { Checkpointer } from './checkpointer.ts';
import { AuditKeyRotation } from './rotation.ts';

const name = 'spike.ist/spike/i/nexus/1';
const signal = AbortSignal.timeout(120_000);
const log = createLog({ component: 'test', level: 'error', write: () => undefined });

async function open() {
  await using stack = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'spike-rotation-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const audit = stack.use(await AuditFile.open({ directory, signal }));
  const made = await createTestInstance();
  const { instance, store, rootKey } = made;
  stack.use(instance);
  const ledger = stack.use(await openTestLedger(made));
  const options = {
    audit,
    signers: instance.audit.signers(name),
    directory,
    everyMs: 60_000,
    onSigned: () => undefined,
    sinks: [],
    note: (action: string, fields: object) => JSON.stringify({ action, ...fields }).slice(1),
    log,
  };
  const checkpointer = stack.use(await Checkpointer.open(options, undefined));
  await audit.append('"a":1}');
  const numbers = async (): Promise<readonly (readonly [number, string])[]> => {
    const head = await store.head();
    assert(head !== undefined);
    using keyring = unwrapKeyring(parseHead(head.bytes), rootKey);
    return keyring.all('audit').map(({ number, state }) => [number, state] as const);
  };
  const owned = stack.move();
  const rotation = new AuditKeyRotation({ store, ledger, instance, checkpointer });
  return { audit, checkpointer, rotation, numbers, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test('each key announces the next, and the keyring keeps the last two', async () => {
  await using rig = await open();
  let key = VerifierKey.parse(rig.checkpointer.key);
  for (const number of [2, 3, 4]) {
    const rotated = await rig.rotation.rotate(() => ({}));
    assert.deepEqual([rotated.previous, rotated.announced], [key.toString(), true]);
    const handover = (await rig.checkpointer.handovers.prove(rig.audit, signal)).at(-1);
    assert(handover !== undefined);
    key = followHandover(key, handover);
    assert.equal(key.toString(), rotated.key);
    assert.equal(rig.checkpointer.key, rotated.key);
    assert.deepEqual(await rig.numbers(), [
      [number - 1, 'retired'],
      [number, 'active'],
    ]);
  }
});

test('of two at once one is refused, and whoever may not any more changes nothing', async () => {
  await using rig = await open();
  const first = rig.rotation.rotate(() => ({}));
  await assert.rejects(
    rig.rotation.rotate(() => ({})),
    hasCode('entity_version_conflict'),
  );
  await first;
  const { key } = rig.checkpointer;
  const ended = (): never => {
    throw new Error('the session has ended');
  };
  await assert.rejects(
    rig.rotation.rotate(() => ({ check: ended })),
    /the session has ended/,
  );
  assert.equal(rig.checkpointer.key, key);
  assert.equal((await rig.numbers()).length, 2);
});

test('a log that is signed no more gets no new key', async () => {
  await using rig = await open();
  rig.checkpointer.halt('it is another');
  await assert.rejects(
    rig.rotation.rotate(() => ({})),
    hasCode('store_integrity'),
  );
  assert.deepEqual(await rig.numbers(), [[1, 'active']]);
});
