import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { hasCode } from '../vault/testing/instance.ts';
import { passwords, root, Stage } from './testing/stage.ts';

const isGone = async (path: string): Promise<boolean> =>
  await stat(path).then(
    () => false,
    () => true,
  );

test('the first administrator is made once, with the code that only the host shows, and gets the first token', async () => {
  await using stage = await Stage.open();
  assert.equal((await stat(stage.codeFile)).mode & 0o777, 0o600);
  assert.match(await stage.code(), /^(?:[a-z2-7]{5}-){5}[a-z2-7]$/, '128 bits');
  assert.throws(() => stage.authenticate(undefined), hasCode('state_not_initialized'));
  await assert.rejects(stage.login('admin', passwords.first), hasCode('state_not_initialized'));
  const { token } = await stage.init();
  assert.equal(await isGone(stage.codeFile), true);
  assert.deepEqual(stage.authenticate(token), {
    name: 'admin',
    role: 'super_admin',
    tenant: undefined,
    accessor: token.slice(4, 20),
    readOnly: false,
    emergency: false,
  });
  assert.throws(() => stage.authenticate(undefined), hasCode('session_required'));
  assert.equal((await stage.login('admin', passwords.first)).session.administrator, 'admin');
  await using again = await stage.restart();
  assert.deepEqual(again.layer.initialisation.done?.by, 'admin');
  assert.equal(await isGone(stage.codeFile), true);
  assert.equal((await again.login('admin', passwords.first)).session.administrator, 'admin');
});

test('of a hundred at once exactly one wins, the others are told and an alert is raised for each', async () => {
  await using stage = await Stage.open();
  const code = await stage.code();
  const results = await Promise.allSettled(
    Array.from({ length: 100 }, (_, index) =>
      stage.layer.initialisation.run(
        { user: `user-${index}`, password: passwords.first, code },
        stage.asked(),
      ),
    ),
  );
  const won = results.filter(({ status }) => status === 'fulfilled');
  assert.equal(won.length, 1);
  for (const result of results)
    if (result.status === 'rejected') assert.ok(hasCode('state_already_initialized')(result.reason));
  assert.equal(stage.layer.books.administrators.size, 1);
  assert.equal(stage.kinds().filter((kind) => kind === 'initialization_attempt').length, 99);
});

test('a wrong code is refused and counted; the fifth makes a new code', async () => {
  await using stage = await Stage.open();
  const first = await stage.code();
  const wrong = (code: string) =>
    stage.layer.initialisation.run({ user: 'admin', password: passwords.first, code }, stage.asked());
  for (let count = 1; count <= 4; count++) {
    await assert.rejects(wrong('aaaaa-bbbbb'), hasCode('login_refused'));
    assert.equal(await stage.code(), first);
  }
  // A restart makes a new one as well, so counting across it is not needed; within a process the fifth does.
  await assert.rejects(wrong(''), hasCode('login_refused'));
  const second = await stage.code();
  assert.notEqual(second, first);
  await assert.rejects(wrong(first), hasCode('login_refused'));
  assert.equal(stage.kinds().filter((kind) => kind === 'initialization_attempt').length, 6);
  await wrong(second.toUpperCase().replaceAll('-', ' '));
  assert.equal(stage.layer.initialisation.done?.by, 'admin');
});

test('a weak password leaves everything as it was, and the code good', async () => {
  await using stage = await Stage.open();
  const code = await stage.code();
  for (const password of ['too short', 'the admin of it all', 'a spike of wood and iron'])
    await assert.rejects(
      stage.layer.initialisation.run({ user: 'admin', password, code }, stage.asked()),
      (error) =>
        hasCode('password_weak')(error) && error instanceof SpikeError && !error.message.includes(password),
    );
  assert.equal(stage.layer.initialisation.done, undefined);
  assert.equal(await stage.code(), code);
  await stage.init();
});

test('a store that fails leaves nothing or all, whatever it says', async () => {
  for (const fault of ['before', 'after', 'stalled'] as const) {
    await using stage = await Stage.open();
    const code = await stage.code();
    stage.store.faults.push(fault);
    const outcome = await stage.layer.initialisation
      .run({ user: 'admin', password: passwords.first, code }, stage.asked())
      .then(
        () => 'done',
        () => 'failed',
      );
    await using again = await stage.restart();
    const { done } = again.layer.initialisation;
    assert.equal(again.layer.books.administrators.size, done === undefined ? 0 : 1);
    if (outcome === 'done') assert.ok(done !== undefined);
    if (done === undefined) await again.init();
    assert.equal((await again.login('admin', passwords.first)).session.spiffeId, root);
  }
});

test('the code of an earlier start is worth nothing, and neither is the file of a system that is initialised', async () => {
  await using stage = await Stage.open();
  const first = await stage.code();
  await using again = await stage.restart();
  const second = (await readFile(stage.codeFile, 'utf8')).trim();
  assert.notEqual(first, second);
  const run = (code: string) =>
    again.layer.initialisation.run({ user: 'admin', password: passwords.first, code }, again.asked());
  await assert.rejects(run(first), hasCode('login_refused'));
  await run(second);
  await assert.rejects(run(second), hasCode('state_already_initialized'));
});
