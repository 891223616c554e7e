import assert from 'node:assert/strict';
import { SecretPath, toValueMap, type AdministratorRole } from '@spike/contract';
import fc from 'fast-check';
import { minute } from '../../admin/testing/stage.ts';
import { enter, givePassword, setRole } from './access-command.ts';
import { split } from './approval-oracle.ts';
import { inARow, names, session, sessionAt, step, superAt, type Command } from './command.ts';
import type { Glass } from './glass-oracle.ts';
import type { Oracle } from './oracle.ts';
import { recoverIds, workloads, type World } from './world.ts';

/* Break-glass, approvals of holders, denials, and what all of it guards: one secret. */

const path = SecretPath.parse('model/secret');
const ownSubject = 'spiffe://spike.ist/spike/pilot/role/superuser';
const subjects = [...workloads, ...workloads.map((id) => `${id}/*`), ownSubject];

const openGlass = (at: number, minutes: number): Command =>
  step(`open a break-glass ${at} ${minutes}`, async (oracle, world) => {
    const one = sessionAt(oracle, at, 'emergency_admin');
    const expected = oracle.openGlass(one, minutes * minute);
    const wish = { reason: 'the database is down', ttlSeconds: minutes * 60 };
    const { code, output } = await world.ask('openBreakglass', one, wish);
    assert.equal(code, expected);
    if (output !== undefined) world.glasses.set(oracle.glasses.at(-1) ?? assert.fail(), output.breakglass.id);
  });

/** Mostly the newest. */
function glassAt(world: World, at: number): Glass | undefined {
  const all = [...world.glasses.keys()];
  return at % 3 === 0 ? all[at % Math.max(all.length, 1)] : all.at(-1);
}

const decide = (how: 'approve' | 'cancel', at: number, which: number): Command =>
  step(`${how} a break-glass ${at} ${which}`, async (oracle, world) => {
    const by = superAt(oracle, at);
    const glass = glassAt(world, which);
    const id = (glass === undefined ? undefined : world.glasses.get(glass)) ?? 'nothing';
    const expected = how === 'approve' ? oracle.approveGlass(by, glass) : oracle.cancelGlass(by, glass);
    assert.equal((await world.ask(`${how}Breakglass`, by, { id })).code, expected);
  });

/** Whoever was above the other asks, and the other would approve. */
const swap = (at: number, opener: string, approver: string): Command =>
  inARow([
    setRole(at, approver, 'super_admin'),
    enter(approver),
    setRole(at, opener, 'emergency_admin'),
    enter(opener),
    openGlass(1, 60),
    decide('approve', at, 1),
  ]);

/** One holder answers twice, which is one share all the same. */
const answerTwice = (user: string, from: string, share: number): Command =>
  inARow([recoverPassword(user, from), answer(0, share, from, 'right'), answer(0, share, from, 'right')]);

const closeGlass = (at: number): Command =>
  step(`close a break-glass ${at}`, async (oracle, world) => {
    const one = sessionAt(oracle, at, 'emergency_admin');
    const expected = oracle.closeGlass(one);
    assert.equal((await world.ask('closeBreakglass', one, {})).code, expected);
  });

const recoverPassword = (user: string, from: string): Command =>
  step(`recover the password of ${user} from ${from}`, async (oracle, world) => {
    const expected = oracle.recoverPassword(user, from);
    const reply = await world.nexus.ask('recoverPassword', from, { user });
    assert.equal(reply.code, expected);
    if (reply.output === undefined) noteApproval(oracle, world, reply.message);
    givePassword(oracle, world, user, reply.output?.oneTimePassword);
  });

function noteApproval(oracle: Oracle, world: World, message: string): void {
  const id = /spike approve (\S+);/.exec(message)?.[1];
  const asked = oracle.approvals.list(oracle.now).find((one) => !world.approvals.has(one));
  if (id !== undefined && asked !== undefined) world.approvals.set(asked, id);
}

type How = 'right' | 'replayed' | 'of before' | 'of another';

const answer = (which: number, share: number, from: string, how: How): Command =>
  step(`answer ${which} with share ${share} ${how} from ${from}`, async (oracle, world) => {
    const all = [...world.approvals.keys()];
    const approval = all[which % Math.max(all.length, 1)];
    if (approval === undefined) return;
    await send(oracle, world, { approval, share, from, how });
  });

async function send(
  oracle: Oracle,
  world: World,
  given: { approval: Parameters<Oracle['answer']>[0] & object; share: number; from: string; how: How },
): Promise<void> {
  const { approval, share, from, how } = given;
  const id = world.approvals.get(approval) ?? assert.fail();
  const make = await world.challengeOf(id, from);
  const right = make?.(share, world.shares) ?? Buffer.alloc(32, 7);
  const made: Readonly<Record<How, () => Uint8Array | undefined>> = {
    right: () => right,
    replayed: () => world.overheard.at(-1),
    'of before': () => (world.oldShares.size === 0 ? undefined : make?.(share, world.oldShares)),
    'of another': () => make?.((share % split.count) + 1, world.shares),
  };
  const bytes = made[how]() ?? Buffer.alloc(32, 1);
  const isRight = Buffer.compare(bytes, right) === 0;
  const expected = oracle.answer(approval, { share, isRight, from });
  const { code } = await world.nexus.ask('answerApproval', from, { id, share, answer: bytes });
  assert.equal(code, expected);
  if (expected === 'ok') world.overheard.push(right);
}

/** The holders of a threshold approve what was asked for first, one behind the other. */
const approveAll = (from: string): Command =>
  step(`enough shares approve, from ${from}`, async (oracle, world) => {
    const [approval] = oracle.approvals.list(oracle.now);
    if (approval === undefined) return;
    for (let share = 1; share <= split.threshold; share++)
      await send(oracle, world, { approval, share, from, how: 'right' });
  });

const openRecovery = (at: number, spiffeId: string): Command =>
  step(`open the way to the shares for ${spiffeId} ${at}`, async (oracle, world) => {
    const by = superAt(oracle, at);
    const expected = oracle.openRecovery(by, spiffeId);
    assert.equal((await world.ask('openRecovery', by, { spiffeId })).code, expected);
  });

const recover = (from: string): Command =>
  step(`take the shares out from ${from}`, async (oracle, world) => {
    const expected = oracle.recover(from);
    const { code, output } = await world.nexus.ask('recover', from, {});
    assert.equal(code, expected);
    if (output !== undefined) assert.deepEqual(output.shards, world.shares);
  });

const deny = (at: number, spiffeId: string, minutes: number | undefined): Command =>
  step(`deny ${spiffeId} ${minutes} ${at}`, async (oracle, world) => {
    const by = superAt(oracle, at);
    const expected = oracle.deny(by, spiffeId, minutes === undefined ? undefined : minutes * minute);
    const term = minutes === undefined ? {} : { seconds: minutes * 60 };
    assert.equal(
      (await world.ask('denyIdentity', by, { spiffeId, reason: 'why not', ...term })).code,
      expected,
    );
  });

const lift = (at: number, which: number, some: string): Command =>
  step(`lift ${which} ${some} ${at}`, async (oracle, world) => {
    const by = superAt(oracle, at);
    const denied = oracle.denied.list(oracle.now);
    const spiffeId = denied[which % (denied.length + 1)] ?? some;
    const expected = oracle.lift(by, spiffeId);
    assert.equal((await world.ask('liftDenial', by, { spiffeId })).code, expected);
  });

/** An emergency_admin as often as a super_admin. */
function serving(oracle: Oracle, at: number) {
  return at % 2 === 0 ? superAt(oracle, at) : sessionAt(oracle, at, 'emergency_admin');
}

export const allow = (at: number): Command =>
  step(`allow workloads to read ${at}`, async (oracle, world) => {
    const one = serving(oracle, at);
    const expected = oracle.admit(one, 'serve');
    const policy = {
      name: 'model',
      spiffeidPattern: '^spiffe://spike\\.ist/app.*$',
      pathPattern: '^model/.*$',
    };
    assert.equal((await world.ask('putPolicy', one, { ...policy, permissions: ['read'] })).code, expected);
    if (expected === 'ok') oracle.hasPolicy = true;
  });

export const write = (at: number): Command =>
  step(`write ${at}`, async (oracle, world) => {
    const one = serving(oracle, at);
    const expected = oracle.admit(one, 'serve');
    const text = world.newPassword();
    assert.equal((await world.ask('putSecret', one, { path, values: toValueMap({ text }) })).code, expected);
    if (expected === 'ok') oracle.secret = text;
  });

const readAsAdministrator = (at: number): Command =>
  step(`read ${at}`, async (oracle, world) => {
    const one = serving(oracle, at);
    const admitted = oracle.admit(one, 'read');
    const expected = admitted === 'ok' && oracle.secret === undefined ? 'api_not_found' : admitted;
    const { code, output } = await world.ask('getSecret', one, { path, version: 0 });
    assert.equal(code, expected);
    if (output !== undefined) assert.deepEqual(output.data, toValueMap({ text: oracle.secret ?? '' }));
  });

const readAsWorkload = (id: string): Command =>
  step(`read as ${id}`, async (oracle, world) => {
    const { code, output } = await world.nexus.ask('getSecret', id, { path, version: 0 });
    assert.equal(code, oracle.read(id));
    if (output !== undefined) assert.deepEqual(output.data, toValueMap({ text: oracle.secret ?? '' }));
  });

export function emergencyCommands(): fc.Arbitrary<Command>[] {
  const some = fc.nat(1_000);
  const from = fc.constantFrom(...recoverIds);
  const name = fc.constantFrom(...names);
  const minutes = fc.constantFrom(1, 60, 300, 720);
  const how = fc.constantFrom<How>('right', 'right', 'right', 'replayed', 'of before', 'of another');
  const subject = fc.constantFrom(...subjects);
  const role = fc.constantFrom<AdministratorRole>('super_admin', 'emergency_admin');
  const takenBack = fc
    .tuple(session, from, session, name, role)
    .map(([at, id, by, who, next]) => inARow([openRecovery(at, id), setRole(by, who, next), recover(id)]));
  const shareId = fc.integer({ min: 1, max: split.count });
  const recovery = fc.oneof(
    { weight: 3, arbitrary: fc.tuple(name, from).map((args) => recoverPassword(...args)) },
    {
      weight: 2,
      arbitrary: fc.tuple(some, shareId, from, how).map((args) => answer(...args)),
    },
    { weight: 2, arbitrary: from.map(approveAll) },
    {
      weight: 3,
      arbitrary: fc
        .tuple(name, from)
        .map(([user, by]) =>
          inARow([
            recoverPassword(user, by),
            approveAll(by),
            recoverPassword(user, by),
            recoverPassword(user, by),
          ]),
        ),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(session, from)
        .map(([at, id]) => inARow([openRecovery(at, id), recover(id), recover(id)])),
    },
    { weight: 1, arbitrary: fc.tuple(session, from).map((args) => openRecovery(...args)) },
    { weight: 1, arbitrary: from.map(recover) },
    { weight: 1, arbitrary: takenBack },
    { weight: 1, arbitrary: fc.tuple(name, from, shareId).map((args) => answerTwice(...args)) },
  );
  const glass = fc.oneof(
    fc.tuple(session, minutes).map((args) => openGlass(...args)),
    fc.tuple(session, some).map(([at, which]) => decide('approve', at, which)),
    fc.tuple(session, some).map(([at, which]) => decide('cancel', at, which)),
    session.map(closeGlass),
    fc
      .tuple(session, session, minutes)
      .map(([at, by, ttl]) => inARow([openGlass(at, ttl), decide('approve', by, 1), readAsAdministrator(1)])),
    fc.tuple(session, name, name).map((args) => swap(...args)),
  );
  const denial = fc.oneof(
    fc.tuple(session, subject, fc.option(minutes, { nil: undefined })).map((args) => deny(...args)),
    fc.tuple(session, some, subject).map((args) => lift(...args)),
  );
  const reading = fc.oneof(
    fc.constantFrom(...workloads).map(readAsWorkload),
    session.map(readAsAdministrator),
    session.map(write),
    session.map(allow),
  );
  return [recovery, recovery, glass, glass, denial, reading, reading];
}
