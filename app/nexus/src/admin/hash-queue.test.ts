import assert from 'node:assert/strict';
import { argon2Sync } from 'node:crypto';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { HashQueue } from './hash-queue.ts';
import { argon2id, defaultCost, isAged, toSecret, type Argon2 } from './password-hash.ts';

const never = new AbortController().signal;
const cheap = { memory: 64, passes: 1, lanes: 2 };

/** Argon2 that ends when it is told to. */
function stage(options: { atOnce: number; mostWaiting: number }) {
  const calls: { password: string; finish: () => void }[] = [];
  const argon2: Argon2 = (password) =>
    new Promise((resolve) => {
      calls.push({ password: Buffer.from(password).toString(), finish: () => resolve(new Uint8Array(32)) });
    });
  return { calls, queue: new HashQueue({ ...options, cost: cheap, argon2 }) };
}

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

test('today’s cost is the second recommendation of RFC 9106, and the hash is Argon2id over it', async () => {
  assert.deepEqual(defaultCost, { memory: 64 * 1024, passes: 3, lanes: 4 });
  const queue = new HashQueue();
  using password = toSecret('correct horse battery staple');
  const hash = await queue.hash(password, never);
  assert.deepEqual(
    [hash.salt.length, hash.tag.length, hash.memory, hash.passes, hash.lanes],
    [16, 32, 65_536, 3, 4],
  );
  const other = argon2Sync('argon2id', {
    message: Buffer.from('correct horse battery staple'),
    nonce: hash.salt,
    memory: 65_536,
    passes: 3,
    parallelism: 4,
    tagLength: 32,
  });
  assert.deepEqual(Buffer.from(hash.tag), other);
  assert.equal(await queue.verify(password, hash, never), true);
  using wrong = toSecret('correct horse battery stapler');
  assert.equal(await queue.verify(wrong, hash, never), false);
});

test('each hash has a salt of its own, and one of another cost is checked under that', async () => {
  const queue = new HashQueue({ cost: cheap });
  using password = toSecret('a password');
  const [one, two] = [await queue.hash(password, never), await queue.hash(password, never)];
  assert.notDeepEqual(one.salt, two.salt);
  assert.notDeepEqual(one.tag, two.tag);
  const later = new HashQueue({ cost: { ...cheap, passes: 2 } });
  assert.equal(await later.verify(password, one, never), true);
  assert.equal(isAged(one, later.cost), true);
  assert.equal(isAged(one, queue.cost), false);
  assert.equal(isAged({ ...one, memory: 63 }, queue.cost), true);
  assert.equal(isAged({ ...one, lanes: 1 }, queue.cost), true);
});

test('so many run at once, so many wait, and one more is refused with 429', async () => {
  const { calls, queue } = stage({ atOnce: 2, mostWaiting: 3 });
  const passwords = Array.from({ length: 5 }, (_, index) => toSecret(`p${index}`));
  const hashes = passwords.map((password) => queue.hash(password, never));
  await settle();
  assert.deepEqual([calls.length, queue.waiting], [2, 3]);
  await assert.rejects(
    queue.hash(toSecret('one more'), never),
    (error) => error instanceof SpikeError && error.code === 'limit_exceeded' && error.row.status === 429,
  );
  assert.throws(() => queue.assertRoom(), SpikeError);
  for (let at = 0; at < 5; at++) {
    calls[at]?.finish();
    await settle();
    assert.equal(calls.length, Math.min(5, at + 3));
  }
  assert.deepEqual(
    calls.map(({ password }) => password),
    ['p0', 'p1', 'p2', 'p3', 'p4'],
    'in the order of asking',
  );
  await Promise.all(hashes);
  assert.equal(queue.waiting, 0);
});

test('who gives up waiting leaves the place to the next, and one that failed does, too', async () => {
  const { calls, queue } = stage({ atOnce: 1, mostWaiting: 5 });
  const abort = new AbortController();
  const first = queue.hash(toSecret('first'), never);
  const gone = queue.hash(toSecret('gone'), abort.signal);
  const next = queue.hash(toSecret('next'), never);
  await settle();
  abort.abort(new Error('gone away'));
  await assert.rejects(gone, /gone away/);
  await assert.rejects(queue.hash(toSecret('late'), abort.signal), /gone away/);
  calls[0]?.finish();
  await settle();
  calls[1]?.finish();
  await Promise.all([first, next]);
  assert.deepEqual(
    calls.map(({ password }) => password),
    ['first', 'next'],
  );
  const wiped = toSecret('wiped');
  wiped.dispose();
  await assert.rejects(queue.hash(wiped, never), TypeError);
  const after = queue.hash(toSecret('after'), never);
  await settle();
  calls[2]?.finish();
  await after;
});

test('the bytes that are hashed are wiped when it is done', async () => {
  let seen: Uint8Array = new Uint8Array();
  const queue = new HashQueue({
    cost: cheap,
    argon2: async (password, salt, cost) => {
      seen = password;
      return await argon2id(password, salt, cost);
    },
  });
  using password = toSecret('a password');
  await queue.hash(password, never);
  assert.deepEqual(Buffer.from(seen), Buffer.alloc(10));
});
