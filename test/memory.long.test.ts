import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { rolePaths, SecretPath, toValueMap } from '@spike/contract';
import { combine, Share, type RootKey } from '@spike/crypto';
import { addKeys } from './key.ts';
import { phrase } from './life.ts';
import { giveBack, withdraw } from './lock.ts';
import { canReadMemory, formsInMemory, scanMemory, Wanted } from './memory.ts';
import { Parts } from './parts.ts';

const tries = 8;
const path = SecretPath.parse('memory/secret');

/** The root key, as people put it together from their shares. */
async function recoverRootKey(parts: Parts): Promise<RootKey> {
  const { shards } = await (await parts.callNexus(rolePaths.recover)).recover({});
  const two = [1, 2].map((id) => Share.take(id, Uint8Array.from(shards.get(id) ?? [])));
  return combine(two, two.length);
}

test('the scanner finds every form of what is in a process, and nothing else', () => {
  const [there, elsewhere] = [new Wanted(), new Wanted()];
  const bytes = Buffer.from(phrase());
  // Kept by this process in one form at a time.
  const forms = formsInMemory(bytes);
  for (const [index, form] of forms.entries()) {
    const wanted = new Wanted();
    wanted.add('phrase', bytes);
    const found = new Set<string>();
    wanted.findIn(Buffer.concat([Buffer.alloc(4095 + index, 7), form, Buffer.alloc(5000)]), found);
    assert.deepEqual([...found], ['phrase'], `form ${index}`);
  }
  there.add('phrase', bytes);
  const found = new Set<string>();
  there.findIn(Buffer.from(phrase().repeat(100)), found);
  assert.deepEqual([...found], []);
  assert.deepEqual(elsewhere.names, []);
});

test('after a withdrawal the memory of Nexus holds no key and no secret, and before it does', async (t) => {
  assert(
    canReadMemory,
    'only root reads the memory of a process that is not dumpable: run this test as root',
  );
  await using parts = await Parts.bootstrapped();
  const call = await parts.callNexus();
  const { pid } = parts.nexus;
  const secret = phrase();
  await call.putSecret({ path, values: toValueMap({ n: secret }) });
  const wanted = new Wanted();
  wanted.add('secret', Buffer.from(secret));
  using rootKey = await recoverRootKey(parts);
  await addKeys(wanted, rootKey, join(parts.home, 'home', 'nexus', 'data'));
  for (let round = 1; round <= tries; round++) {
    assert.equal((await call.getSecret({ path, version: 0 })).data['n'], secret);
    const before = scanMemory(pid, wanted);
    for (const name of ['root key', 'data key 1', 'index key 1', 'secret'])
      assert.ok(before.found.has(name), `try ${round}: ${name} is not found while it serves`);
    await withdraw(parts);
    const after = scanMemory(pid, wanted);
    assert.deepEqual([...after.found], [], `try ${round}, in ${after.bytes} bytes`);
    if (round === 1)
      t.diagnostic(
        `of ${wanted.names.length}, before: ${[...before.found].join(', ')} in ${before.bytes} bytes; after: none in ${after.bytes}`,
      );
    await giveBack(parts);
  }
  assert.equal(parts.nexus.pid, pid);
});
