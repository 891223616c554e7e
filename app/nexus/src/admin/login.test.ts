import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import type { Op } from '@spike/store';
import { hasCode } from '../vault/testing/instance.ts';
import { argon2id, type Argon2 } from './password-hash.ts';
import type { Entering } from './port.ts';
import { cheap, hour, minute, passwords, root, Stage } from './testing/stage.ts';

const other = `${root}/bob`;

/** Counts what is hashed, under which cost. */
function counter() {
  const calls: { memory: number }[] = [];
  const argon2: Argon2 = async (password, salt, cost) => {
    calls.push({ memory: cost.memory });
    return await argon2id(password, salt, cost);
  };
  return { calls, argon2 };
}

/** The shape of a transaction: which tables it writes to, in which way. */
function shapeOf(ops: readonly Op[] | undefined): string {
  return (ops ?? []).map((op) => (op.kind === 'head' ? 'head' : `${op.kind} ${op.table}`)).join(', ');
}

async function failureOf(work: Promise<unknown>): Promise<SpikeError> {
  return await work.then(
    () => assert.fail('it was not refused'),
    (error: unknown) => {
      assert.ok(error instanceof SpikeError, String(error));
      return error;
    },
  );
}

test('every refusal of a login runs one Argon2 of the same cost and one transaction of the same rows, and says the same', async () => {
  const { calls, argon2 } = counter();
  await using stage = await Stage.open({ argon2 });
  const { administrators } = stage.layer;
  const manager = { name: 'admin', role: 'super_admin', tenant: undefined } as const;
  const make = async (name: string) =>
    (
      await administrators.create(
        manager,
        { name, role: 'auditor', tenant: undefined, spiffeId: root },
        stage.asked(),
      )
    ).oneTimePassword;
  await stage.init();
  await make('disabled');
  await administrators.setEnabled(manager, 'disabled', false, stage.asked());
  const late = await make('late');
  stage.pass(25 * hour);
  await make('delayed');
  for (let count = 0; count < 2; count++) await failureOf(stage.login('delayed', 'no', { id: root }));
  const locked = await make('locked');
  for (let count = 0; count < 5; count++) {
    await failureOf(stage.login('locked', 'no'));
    stage.pass(10_000);
  }
  // The delay of `delayed` began anew, right before it is looked at.
  await failureOf(stage.login('delayed', 'no'));

  const cases = {
    'an unknown name': () => stage.login('nobody', passwords.first),
    'a wrong password': () => stage.login('admin', passwords.second),
    'a password that is too long for one': () => stage.login('admin', 'x'.repeat(9_000)),
    'a password that is no Unicode': () => stage.login('admin', '\ud800'.repeat(20)),
    'a disabled account': () => stage.login('disabled', passwords.first),
    'another SPIFFE ID': () => stage.login('admin', passwords.first, { id: other }),
    'a one-time password that is over': () => stage.login('late', late, { newPassword: passwords.second }),
    'a delayed account': () => stage.login('delayed', passwords.first),
    'a locked account': () => stage.login('locked', locked, { newPassword: passwords.second }),
  };
  const said = new Set<string>();
  for (const [what, run] of Object.entries(cases)) {
    calls.length = 0;
    const before = stage.store.committed.length;
    const error = await failureOf(run());
    said.add(`${error.code}: ${error.message} ${JSON.stringify(error.detail)}`);
    assert.deepEqual(calls, [{ memory: cheap.memory }], what);
    assert.equal(stage.store.committed.length - before, 1, what);
    const shape = shapeOf(stage.store.committed.at(-1));
    assert.equal(shape, 'put attempt, put attempt, put setting, put state', what);
  }
  assert.deepEqual(
    [...said],
    ['login_refused: name or password is wrong, or it is too early to try again {}'],
  );

  calls.length = 0;
  stage.pass(1_000);
  await stage.login('admin', passwords.first);
  assert.equal(calls.length, 1, 'and so does a success');
});

test('five failures of a pair lock it for 15 minutes, for the right password, too, and tries meanwhile do not lengthen that', async () => {
  await using stage = await Stage.open();
  await stage.init();
  for (let count = 1; count <= 5; count++) {
    await assert.rejects(stage.login('admin', 'wrong'), hasCode('login_refused'));
    stage.pass(30_000);
  }
  assert.deepEqual(
    stage.kinds().filter((kind) => kind !== 'clock_step'),
    ['login_failures', 'login_failures', 'login_failures', 'account_locked'],
  );
  // Tries during the lock count for nothing: neither do they end it later.
  for (let count = 0; count < 20; count++)
    await assert.rejects(stage.login('admin', passwords.first), hasCode('login_refused'));
  stage.pass(15 * minute - 30_000 - 1);
  await assert.rejects(stage.login('admin', passwords.first), hasCode('login_refused'));
  stage.pass(1);
  await stage.login('admin', passwords.first);
});

test('somebody with another identity neither locks an administrator out nor delays him, however often he tries', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const { attempts, clock } = stage.layer.books;
  for (let identity = 0; identity < 40; identity++) {
    const id = `${root}/m${identity}`;
    for (let count = 0; count < 5; count++) {
      await assert.rejects(stage.login('admin', 'wrong', { id }), hasCode('login_refused'));
      stage.pass(1_000);
    }
    const tried = attempts.attempted('admin', root, id, clock.now());
    assert.ok(attempts.waitsUntil(tried) > clock.now(), 'he himself waits');
    // Also in the middle of the delay that his tries have made.
    if (identity % 10 === 0) await stage.login('admin', passwords.first);
  }
});

test('a slip of the hand costs nothing, then delays grow, and a success forgets them', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const wrong = () => assert.rejects(stage.login('admin', 'wrong'), hasCode('login_refused'));
  await wrong();
  await stage.login('admin', passwords.first);
  for (const delay of [0, 1_000, 2_000, 4_000]) {
    await wrong();
    if (delay === 0) continue;
    stage.pass(delay - 1);
    await assert.rejects(stage.login('admin', passwords.first), hasCode('login_refused'));
    stage.pass(1);
  }
  await stage.login('admin', passwords.first);
  assert.equal(stage.layer.books.attempts.size, 0);
  await wrong();
  await stage.login('admin', passwords.first);
});

test('guesses at the same time are no more than as many in a row', async () => {
  const { calls, argon2 } = counter();
  await using stage = await Stage.open({ argon2 });
  await stage.init();
  calls.length = 0;
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) => stage.login('admin', index === 10 ? passwords.first : 'wrong')),
  );
  // The right one came behind the second failure, and so too early.
  assert.ok(results.every(({ status }) => status === 'rejected'));
  assert.equal(
    stage.layer.books.attempts.waitsUntil({ pair: `admin ${root}`, alone: 'admin', isOwn: true }),
    stage.layer.books.clock.now() + 1_000,
  );
});

test('so many logins of one identity are hashed, the next is refused before any hash', async () => {
  const { calls, argon2 } = counter();
  await using stage = await Stage.open({ argon2 });
  await stage.init();
  calls.length = 0;
  for (let count = 0; count < 30; count++)
    await assert.rejects(stage.login('nobody', 'x'), hasCode('login_refused'));
  assert.equal(calls.length, 30);
  const refusal = await failureOf(stage.login('admin', passwords.first));
  assert.equal(refusal.code, 'limit_exceeded');
  assert.equal(refusal.detail['retryAfterMs'], 1_000, 'the next place');
  assert.equal(calls.length, 30);
  assert.equal(
    (await failureOf(stage.login('x', 'y', { id: other }))).code,
    'login_refused',
    'others are not held up',
  );
  stage.pass(1_000);
  await stage.login('admin', passwords.first);
});

test('a lock outlives a restart, with the wall clock as it was, an hour or a year ahead or back', async () => {
  const year = 365 * 24 * hour;
  for (const shift of [0, -hour, -year]) {
    await using stage = await Stage.open();
    await stage.init();
    for (let count = 1; count <= 5; count++) {
      await assert.rejects(stage.login('admin', 'wrong'));
      stage.pass(10_000);
    }
    await using again = await stage.restart({ wall: stage.at.wall + shift });
    await assert.rejects(again.login('admin', passwords.first), hasCode('login_refused'), String(shift));
    assert.equal(again.kinds().includes('clock_step'), shift !== 0);
    again.pass(15 * minute);
    await again.login('admin', passwords.first);
  }
});

test('jumps of the wall clock within a process neither end a session nor lengthen one', async () => {
  for (const shift of [hour, -hour, 365 * 24 * hour, -365 * 24 * hour]) {
    await using stage = await Stage.open();
    await stage.init();
    const { token } = await stage.login('admin', passwords.first, { ttlMs: 10 * minute });
    stage.at.wall += shift;
    assert.equal(stage.authenticate(token).name, 'admin');
    assert.deepEqual(stage.kinds(), ['clock_step']);
    stage.pass(10 * minute - 1);
    assert.equal(stage.authenticate(token).name, 'admin');
    stage.pass(1);
    assert.throws(() => stage.authenticate(token), hasCode('session_required'));
  }
});

test('a hash of an older cost is made anew at the next login, and at no failure', async () => {
  const { calls, argon2 } = counter();
  await using stage = await Stage.open({ argon2 });
  await stage.init();
  await using again = await stage.restart({ settings: { cost: { ...cheap, memory: 64 } } });
  await assert.rejects(again.login('admin', 'wrong'), hasCode('login_refused'));
  const costs = () => [
    again.layer.books.administrator('admin')?.password.memory,
    calls.map(({ memory }) => memory),
  ];
  calls.length = 0;
  const { token } = await again.login('admin', passwords.first);
  assert.deepEqual(costs(), [64, [32, 64]]);
  calls.length = 0;
  await again.login('admin', passwords.first);
  assert.deepEqual(costs(), [64, [64]]);
  assert.equal(again.authenticate(token).name, 'admin', 'which ends no session');
});

test('passwords are the same in every spelling of Unicode, and different in case', async () => {
  await using stage = await Stage.open();
  await stage.init('admin', 'Ein schönes Käsebrot, bitte');
  await stage.login('admin', 'Ein schönes Käsebrot, bitte'.normalize('NFD'));
  await stage.login('admin', 'Ｅin schönes Käsebrot, bitte');
  await assert.rejects(stage.login('admin', 'ein schönes Käsebrot, bitte'), hasCode('login_refused'));
});

test('changing a password asks for the old one, refuses the last five, and ends all other sessions', async () => {
  await using stage = await Stage.open();
  await stage.init();
  const mine = await stage.login('admin', passwords.first);
  const elsewhere = await stage.login('admin', passwords.first);
  const change = (password: string, newPassword: string) =>
    stage.layer.login.changePassword(
      { user: 'admin', accessor: mine.session.accessor, password, newPassword },
      stage.asked(),
    );
  await assert.rejects(change('wrong', passwords.second), hasCode('login_refused'));
  await assert.rejects(change(passwords.first, 'short'), hasCode('password_weak'));
  await assert.rejects(change(passwords.first, passwords.first), hasCode('password_weak'));
  assert.equal(stage.authenticate(elsewhere.token).name, 'admin', 'a refused change ends nothing');
  assert.equal(await change(passwords.first, 'a password, number 2 of them'), 2);
  assert.equal(stage.authenticate(mine.token).name, 'admin');
  assert.throws(() => stage.authenticate(elsewhere.token), hasCode('session_required'));
  await assert.rejects(stage.login('admin', passwords.first), hasCode('login_refused'));
  for (let number = 3; number <= 5; number++)
    await change(`a password, number ${number - 1} of them`, `a password, number ${number} of them`);
  await assert.rejects(change('a password, number 5 of them', passwords.first), hasCode('password_weak'));
  stage.pass(minute);
  await change('a password, number 5 of them', 'a password, number 6 of them');
  await change('a password, number 6 of them', passwords.first);
  await stage.login('admin', passwords.first);
});

test('a token cannot be used to guess the password: failures of a change count as those of a login', async () => {
  await using stage = await Stage.open();
  const { session } = await stage.init();
  const change = { user: 'admin', accessor: session.accessor, newPassword: passwords.second };
  for (let count = 1; count <= 5; count++) {
    await assert.rejects(stage.layer.login.changePassword({ ...change, password: 'wrong' }, stage.asked()));
    stage.pass(10_000);
  }
  const right = stage.layer.login.changePassword({ ...change, password: passwords.first }, stage.asked());
  await assert.rejects(right, hasCode('login_refused'));
  assert.ok(stage.kinds().includes('account_locked'));
});

test('the record that is committed with an init and with a login names the session that begins', async () => {
  await using stage = await Stage.open();
  const drafted: string[] = [];
  const draft: Entering['draft'] = ({ administrator, accessor }) => {
    drafted.push(`${administrator} ${accessor}`);
    return { trail: accessor, record: JSON.stringify({ administrator, accessor }) };
  };
  const entering = { ...stage.asked(), draft };
  const { login, initialisation } = stage.layer;
  const wanted = {
    user: 'admin',
    newPassword: undefined,
    ttlMs: hour,
    uses: undefined,
    scope: 'all',
  } as const;
  const first = await initialisation.run(
    { user: 'admin', password: passwords.first, code: await stage.code() },
    entering,
  );
  const second = await login.run({ ...wanted, password: passwords.first }, entering);
  for (const user of ['admin', 'nobody'])
    await assert.rejects(
      login.run({ ...wanted, user, password: 'wrong' }, entering),
      hasCode('login_refused'),
    );
  const accessors = [first, second].map(({ token, session }) => {
    assert.ok(token.startsWith(`spk_${session.accessor}_`));
    return session.accessor;
  });
  assert.deepEqual(
    drafted,
    accessors.map((accessor) => `admin ${accessor}`),
    'and none is made for a login that fails',
  );
  await using again = await stage.restart();
  assert.deepEqual(
    again.ledger.pendingOutbox().map(({ trail }) => trail),
    accessors,
  );
});

test('a login whose account changes meanwhile is refused, and begins no session', async () => {
  const gate = Promise.withResolvers<void>();
  const held: { until?: Promise<void> } = {};
  const argon2: Argon2 = async (password, salt, cost) => {
    await held.until;
    return await argon2id(password, salt, cost);
  };
  await using stage = await Stage.open({ argon2 });
  await stage.init();
  const manager = { name: 'admin', role: 'super_admin', tenant: undefined } as const;
  const bob = { name: 'bob', role: 'auditor', tenant: undefined, spiffeId: root } as const;
  const { oneTimePassword } = await stage.layer.administrators.create(manager, bob, stage.asked());
  await stage.login('bob', oneTimePassword, { newPassword: passwords.second });
  held.until = gate.promise;
  const login = stage.login('bob', passwords.second);
  await stage.layer.administrators.setEnabled(manager, 'bob', false, stage.asked());
  await stage.layer.administrators.setEnabled(manager, 'bob', true, stage.asked());
  gate.resolve();
  await assert.rejects(login, hasCode('login_refused'));
  assert.deepEqual(
    stage.layer.sessions.list(undefined).map(({ administrator }) => administrator),
    ['admin'],
  );
});

test('names that nobody has are counted in few rows, which are kept no longer than they count', async () => {
  await using stage = await Stage.open();
  await stage.init();
  for (let name = 0; name < 600; name++) {
    await assert.rejects(
      stage.login(`nobody-${name}`, 'x', { id: `${root}/m${name % 30}` }),
      hasCode('login_refused'),
    );
    stage.pass(50);
  }
  assert.ok(stage.layer.books.attempts.size <= 2 * 256);
});
