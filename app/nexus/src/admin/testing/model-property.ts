import assert from 'node:assert/strict';
import { toSpikeError } from '@spike/error';
import fc from 'fast-check';
import { idleMs, Oracle, type Answer, type OracleSession } from './oracle.ts';
import { hour, minute, root, Stage } from './stage.ts';

interface World {
  stage: Stage;
  /** Tokens of the oracle's sessions. */
  readonly tokens: Map<OracleSession, { readonly token: string; readonly accessor: string }>;
  /** So that no two passwords are the same. */
  made: number;
}

type Command = fc.AsyncCommand<Oracle, World>;

const ids = [root, `${root}/other`] as const;
const manager = { name: 'admin', role: 'super_admin', tenant: undefined } as const;
const ownIds = [true, true, true, true, true, true, true, false];
const year = 365 * 24 * hour;

/** Any sequence of commands is answered as the oracle answers it. */
export async function checkAccessModel(runs: number, seed?: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands(), { maxCommands: 60, size: 'max' }), async (sequence) => {
      const stage = await Stage.open({ idleMs });
      const world: World = { stage, tokens: new Map(), made: 0 };
      try {
        await fc.asyncModelRun(() => {
          const oracle = new Oracle(stage.at.wall);
          oracle.stored = oracle.now;
          return { model: oracle, real: world };
        }, sequence);
      } finally {
        await world.stage[Symbol.asyncDispose]();
      }
    }),
    { numRuns: runs, ...(seed === undefined ? {} : { seed }) },
  );
}

function step(name: string, run: (oracle: Oracle, world: World) => Promise<void>): Command {
  return { check: () => true, run, toString: () => name };
}

async function answerOf(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return 'ok';
  } catch (thrown) {
    const { code, cause } = toSpikeError(thrown);
    if (code === 'api_internal_error') throw cause;
    return code;
  }
}

function newPassword(world: World): string {
  world.made += 1;
  return `a password, number ${world.made} of them`;
}

/** Compares the answers, and when a session has begun, remembers its token. */
async function compareBegun(
  oracle: Oracle,
  world: World,
  expected: Answer,
  work: () => Promise<{ readonly token: string; readonly session: { readonly accessor: string } }>,
): Promise<void> {
  const got = await answerOf(async () => {
    const { token, session } = await work();
    const last = oracle.sessions.at(-1);
    assert.ok(last !== undefined, 'a session that should not be');
    world.tokens.set(last, { token, accessor: session.accessor });
  });
  assert.equal(got, expected);
}

function commands(): fc.Arbitrary<Command>[] {
  const id = fc.constantFrom(...ids);
  const kind = fc.constantFrom('right', 'right', 'wrong');
  const pick = fc.nat(1_000);
  const sessionAt = (oracle: Oracle, at: number): OracleSession | undefined =>
    oracle.sessions.length === 0 ? undefined : oracle.sessions[at % oracle.sessions.length];

  const briefly = fc.constantFrom(1, 999, 1_000, 5_000, 30_000, minute, 14 * minute);
  const long = fc.constantFrom(15 * minute - 1, 15 * minute, hour, 4 * hour, 4 * hour, 12 * hour, 24 * hour);
  const pass = fc.oneof({ weight: 4, arbitrary: briefly }, { weight: 1, arbitrary: long }).map((ms) =>
    step(`pass ${ms}`, async (oracle, { stage }) => {
      oracle.pass(ms);
      stage.pass(ms);
    }),
  );
  const jump = fc.constantFrom(-year, -hour, -7_000, 7_000, hour, year).map((ms) =>
    step(`jump ${ms}`, async (oracle, { stage }) => {
      oracle.wall += ms;
      stage.at.wall += ms;
    }),
  );
  const restart = fc.constant(
    step('restart', async (oracle, world) => {
      world.stage = await world.stage.restart();
      world.tokens.clear();
      oracle.restart();
    }),
  );
  const init = fc.tuple(fc.constantFrom(true, true, true, false), id).map(([isRight, from]) =>
    step(`init ${isRight} ${from}`, async (oracle, world) => {
      const password = newPassword(world);
      const { stage } = world;
      const code = isRight && !oracle.isDone ? await stage.code() : 'aaaaa';
      const expected = oracle.init(isRight, password, from);
      await compareBegun(oracle, world, expected, () =>
        stage.layer.initialisation.run({ user: 'admin', password, code }, stage.asked({ spiffeId: from })),
      );
    }),
  );
  const login = fc
    .record({
      user: fc.constantFrom('admin', 'admin', 'bob', 'bob', 'nobody'),
      kind,
      id,
      ttlMs: fc.constantFrom(minute, hour, 12 * hour),
      uses: fc.constantFrom(undefined, undefined, 1, 3),
      withNew: fc.boolean(),
      /** From where he is bound to, whatever `id` says. */
      own: fc.constantFrom(true, true, true, false),
    })
    .map((given) =>
      step(`login ${JSON.stringify(given)}`, async (oracle, world) => {
        const person = oracle.people.get(given.user);
        const password = given.kind === 'right' && person !== undefined ? person.password : 'wrong';
        const from = given.own ? (person?.id ?? given.id) : given.id;
        const newPass = given.withNew ? newPassword(world) : undefined;
        const { ttlMs, uses } = given;
        const wish = { ttlMs, uses: uses ?? Infinity, newPassword: newPass };
        const expected = oracle.login(given.user, password, from, wish);
        await compareBegun(oracle, world, expected, () =>
          world.stage.login(given.user, password, {
            id: from,
            ttlMs,
            ...(uses === undefined ? {} : { uses }),
            ...(newPass === undefined ? {} : { newPassword: newPass }),
          }),
        );
      }),
    );
  const present = fc.tuple(pick, fc.constantFrom(...ownIds)).map(([at, isOwn]) =>
    step(`present ${at} ${isOwn}`, async (oracle, world) => {
      const session = sessionAt(oracle, at);
      if (session === undefined) return;
      const from = isOwn ? session.id : (ids.find((other) => other !== session.id) ?? root);
      const expected = oracle.present(session, from);
      const { token } = world.tokens.get(session) ?? assert.fail();
      assert.equal(await answerOf(async () => world.stage.authenticate(token, from)), expected);
    }),
  );
  const renew = fc.tuple(pick, fc.constantFrom(minute, hour, 12 * hour)).map(([at, ttlMs]) =>
    step(`renew ${at} ${ttlMs}`, async (oracle, world) => {
      const session = sessionAt(oracle, at);
      if (session === undefined) return;
      const expected = oracle.renew(session, ttlMs);
      const { accessor } = world.tokens.get(session) ?? assert.fail();
      const { stage } = world;
      assert.equal(
        await answerOf(() => stage.layer.sessions.renew(accessor, ttlMs, stage.asked())),
        expected,
      );
    }),
  );
  const revoke = pick.map((at) =>
    step(`revoke ${at}`, async (oracle, world) => {
      const session = sessionAt(oracle, at);
      if (session === undefined) return;
      const expected = oracle.revoke(session);
      const { accessor } = world.tokens.get(session) ?? assert.fail();
      const { stage } = world;
      const selection = { kind: 'accessor', accessor } as const;
      assert.equal(
        await answerOf(() => stage.layer.sessions.revoke(selection, undefined, stage.asked())),
        expected,
      );
    }),
  );
  const change = fc.tuple(pick, kind).map(([at, which]) =>
    step(`change ${at} ${which}`, async (oracle, world) => {
      const session = sessionAt(oracle, at);
      if (session === undefined || !oracle.lives(session)) return;
      const password = which === 'right' ? (oracle.people.get(session.user)?.password ?? '') : 'wrong';
      const next = newPassword(world);
      const expected = oracle.change(session, password, next);
      const { accessor } = world.tokens.get(session) ?? assert.fail();
      const { stage } = world;
      const wanted = { user: session.user, accessor, password, newPassword: next };
      const asked = stage.asked({ spiffeId: session.id });
      assert.equal(await answerOf(() => stage.layer.login.changePassword(wanted, asked)), expected);
    }),
  );
  const issue = id.map((from) =>
    step(`issue bob ${from}`, async (oracle, { stage }) => {
      if (!oracle.isDone) return;
      const { administrators } = stage.layer;
      const bob = { name: 'bob', role: 'auditor', tenant: undefined, spiffeId: from } as const;
      const { oneTimePassword } = oracle.people.has('bob')
        ? await administrators.resetPassword(manager, 'bob', stage.asked())
        : await administrators.create(manager, bob, stage.asked());
      oracle.issue('bob', oneTimePassword, from);
    }),
  );
  const enable = fc.tuple(fc.constantFrom('admin', 'bob'), fc.boolean()).map(([name, isEnabled]) =>
    step(`enable ${name} ${isEnabled}`, async (oracle, { stage }) => {
      const expected = oracle.setEnabled(name, isEnabled);
      const run = () => stage.layer.administrators.setEnabled(manager, name, isEnabled, stage.asked());
      assert.equal(await answerOf(run), expected);
    }),
  );
  const guesses = fc.constantFrom('admin', 'bob').map((user) =>
    step(`guess ${user}`, async (oracle, world) => {
      const from = oracle.people.get(user)?.id ?? root;
      for (let count = 0; count < 5; count++) {
        const wish = { ttlMs: hour, uses: Infinity, newPassword: undefined };
        const expected = oracle.login(user, 'wrong', from, wish);
        await compareBegun(oracle, world, expected, () => world.stage.login(user, 'wrong', { id: from }));
        oracle.pass(8_000);
        world.stage.pass(8_000);
      }
    }),
  );
  const rarely = fc.oneof(jump, restart, revoke, change, issue, enable, guesses);
  return [pass, pass, init, login, login, login, present, present, renew, rarely];
}
