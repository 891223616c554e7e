import assert from 'node:assert/strict';
import type { AdministratorRole } from '@spike/contract';
import fc from 'fast-check';
import { hour, minute } from '../../admin/testing/stage.ts';
import type { TokenScope } from '../../admin/token-book.ts';
import { inARow, names, session, sessionAt, step, superAt, type Command } from './command.ts';
import type { Code, Oracle } from './oracle.ts';
import { ids, type World } from './world.ts';

/* Initialisation, logins, sessions, passwords and administrators. */

interface LoginWish {
  readonly user: string;
  readonly kind: 'right' | 'wrong';
  readonly id: string;
  /** From where he is bound to, whatever `id` says. */
  readonly own: boolean;
  readonly ttlMs: number;
  readonly uses: number | undefined;
  readonly withNew: boolean;
  readonly scope: TokenScope;
}

export const init = (isRight: boolean, from: string): Command =>
  step(`init ${isRight} ${from}`, async (oracle, world) => {
    const isGood = isRight && !oracle.access.isDone;
    const code = isGood ? await world.nexus.initCode() : (world.usedCodes.at(-1) ?? 'aaaaa');
    const password = world.newPassword();
    const expected = oracle.init(isGood, password, from);
    await compareBegun(oracle, world, expected, 'initialize', from, { user: 'admin', password, code });
    if (expected === 'ok') world.usedCodes.push(code);
  });

export const login = (wish: LoginWish): Command =>
  step(`login ${JSON.stringify(wish)}`, async (oracle, world) => {
    const person = oracle.access.people.get(wish.user);
    // A wrong one was right once, as often as can be.
    const stale = world.passwords.findLast((one) => one !== person?.password) ?? 'no password of anybody';
    const password = wish.kind === 'right' ? (person?.password ?? stale) : stale;
    const from = wish.own ? (person?.id ?? wish.id) : wish.id;
    const newPassword = wish.withNew ? world.newPassword() : undefined;
    const { ttlMs, uses, user, scope } = wish;
    const options = { ttlMs, uses: uses ?? Infinity, newPassword };
    const expected = oracle.login(user, password, from, { ...options, scope });
    await compareBegun(oracle, world, expected, 'login', from, {
      user,
      password,
      ttlSeconds: ttlMs / 1_000,
      scope,
      ...(uses === undefined ? {} : { uses }),
      ...(newPassword === undefined ? {} : { newPassword }),
    });
  });

/** With the password that there is; a one-time password gets another. */
export function enter(user: string): Command {
  const wish = { kind: 'right', own: true, id: ids[0], ttlMs: 12 * hour, uses: undefined } as const;
  return inARow([login({ ...wish, user, withNew: true, scope: 'all' })], `${user} enters`);
}

export const create = (at: number, name: string, role: AdministratorRole, spiffeId: string): Command =>
  step(`create ${at} ${name} ${role} ${spiffeId}`, async (oracle, world) => {
    const by = superAt(oracle, at);
    const expected = oracle.create(by, name, role, spiffeId);
    const { code, output } = await world.ask('createAdministrator', by, { name, role, spiffeId });
    assert.equal(code, expected);
    givePassword(oracle, world, name, output?.oneTimePassword);
  });

/** Five wrong passwords in a row, slowly enough that each of them counts. */
const guess = (user: string): Command =>
  step(`guess ${user}`, async (oracle, world) => {
    const from = oracle.access.people.get(user)?.id ?? ids[0];
    const password = 'no password of anybody';
    for (let count = 0; count < 5; count++) {
      const options = { ttlMs: hour, uses: Infinity, newPassword: undefined };
      const expected = oracle.access.login(user, password, from, options);
      const wish = { user, password, ttlSeconds: 3_600, scope: 'all' } as const;
      await compareBegun(oracle, world, expected, 'login', from, wish);
      oracle.pass(8_000);
      world.pass(8_000);
    }
  });

const show = (at: number, isOwn: boolean): Command =>
  step(`show ${at} ${isOwn}`, async (oracle, world) => {
    const one = sessionAt(oracle, at);
    const from = isOwn ? (one?.id ?? ids[0]) : (ids.find((id) => id !== one?.id) ?? ids[0]);
    const expected = oracle.admit(one, 'self', from);
    assert.equal((await world.ask('showToken', one, {}, from)).code, expected);
  });

const showDead = (at: number, from: string): Command =>
  step(`show a token of before ${at} ${from}`, async (oracle, world) => {
    const token = world.deadTokens[at % Math.max(world.deadTokens.length, 1)];
    const expected = oracle.admit(undefined, 'self');
    assert.equal((await world.nexus.ask('showToken', from, {}, token)).code, expected);
  });

const renew = (at: number, ttlMs: number): Command =>
  step(`renew ${at} ${ttlMs}`, async (oracle, world) => {
    const one = sessionAt(oracle, at);
    let expected = oracle.admit(one, 'self');
    if (expected === 'ok' && one !== undefined) expected = oracle.access.renew(one, ttlMs);
    assert.equal((await world.ask('renewToken', one, { ttlSeconds: ttlMs / 1_000 })).code, expected);
  });

const logout = (at: number, all: boolean): Command =>
  step(`logout ${at} ${all}`, async (oracle, world) => {
    const one = sessionAt(oracle, at);
    let expected = oracle.admit(one, 'self');
    if (expected === 'ok' && one !== undefined) {
      expected = oracle.access.revoke(one);
      if (all) oracle.access.endAllOf(one.user);
    }
    assert.equal((await world.ask('logout', one, { all })).code, expected);
  });

const revoke = (at: number, which: number, by: 'accessor' | 'user' | 'all'): Command =>
  step(`revoke ${at} ${which} ${by}`, async (oracle, world) => {
    const actor = superAt(oracle, at);
    const meant = sessionAt(oracle, which);
    if (meant === undefined) return;
    const expected = oracle.revoke(
      actor,
      (one) => by === 'all' || (by === 'user' ? one.user === meant.user : one === meant),
      by === 'all',
    );
    const accessor = world.tokens.get(meant)?.accessor ?? '';
    const text = by === 'all' ? '' : by === 'user' ? meant.user : accessor;
    assert.equal((await world.ask('revokeTokens', actor, { by, which: text })).code, expected);
  });

const change = (at: number, isRight: boolean): Command =>
  step(`change a password ${at} ${isRight}`, async (oracle, world) => {
    const one = sessionAt(oracle, at);
    const right = oracle.access.people.get(one?.user ?? '')?.password;
    const password = isRight && right !== undefined ? right : 'no password of anybody';
    const newPassword = world.newPassword();
    let expected = oracle.admit(one, 'change');
    if (expected === 'ok' && one !== undefined) expected = oracle.access.change(one, password, newPassword);
    assert.equal((await world.ask('changePassword', one, { password, newPassword })).code, expected);
  });

const resetPassword = (at: number, name: string): Command =>
  step(`reset the password of ${name} ${at}`, async (oracle, world) => {
    const by = superAt(oracle, at);
    const expected = oracle.resetPassword(by, name);
    const { code, output } = await world.ask('resetAdministratorPassword', by, { name });
    assert.equal(code, expected);
    givePassword(oracle, world, name, output?.oneTimePassword);
  });

const setEnabled = (at: number, name: string, isEnabled: boolean): Command =>
  step(`enable ${name} ${isEnabled} ${at}`, async (oracle, world) => {
    const by = superAt(oracle, at);
    const expected = oracle.setEnabled(by, name, isEnabled);
    const route = isEnabled ? 'enableAdministrator' : 'disableAdministrator';
    assert.equal((await world.ask(route, by, { name })).code, expected);
  });

export const setRole = (at: number, name: string, role: AdministratorRole): Command =>
  step(`set the role of ${name} to ${role} ${at}`, async (oracle, world) => {
    const by = superAt(oracle, at);
    const expected = oracle.setRole(by, name, role);
    assert.equal((await world.ask('setAdministratorRole', by, { name, role })).code, expected);
  });

export function accessCommands(): fc.Arbitrary<Command>[] {
  const id = fc.constantFrom(...ids);
  const name = fc.constantFrom(...names);
  const role = fc.constantFrom<AdministratorRole>('super_admin', 'emergency_admin');
  const mostly = fc.constantFrom(true, true, true, true, true, false);
  const wish = fc.record<LoginWish>({
    user: fc.constantFrom(...names, ...names, 'nobody'),
    kind: fc.constantFrom('right', 'right', 'right', 'wrong'),
    id,
    own: mostly,
    ttlMs: fc.constantFrom(minute, hour, 12 * hour, 12 * hour),
    uses: fc.constantFrom(undefined, undefined, undefined, 1, 3),
    withNew: fc.boolean(),
    scope: fc.constantFrom('all', 'all', 'all', 'read-only'),
  });
  const logins = wish.map(login);
  const rarely = fc.oneof(
    fc.tuple(fc.boolean(), id).map((args) => init(...args)),
    name.map(guess),
    fc.tuple(session, mostly).map((args) => change(...args)),
    fc.tuple(session, id).map((args) => showDead(...args)),
    fc.tuple(session, fc.boolean()).map((args) => logout(...args)),
    fc
      .tuple(session, session, fc.constantFrom('accessor' as const, 'user' as const, 'all' as const))
      .map((args) => revoke(...args)),
  );
  const govern = fc.oneof(
    fc.tuple(session, name, role, id).map((args) => create(...args)),
    fc.tuple(session, name).map((args) => resetPassword(...args)),
    fc.tuple(session, name, fc.boolean()).map((args) => setEnabled(...args)),
    fc.tuple(session, name, role).map((args) => setRole(...args)),
  );
  return [
    logins,
    logins,
    logins,
    fc.tuple(session, mostly).map((args) => show(...args)),
    fc.tuple(session, fc.constantFrom(minute, hour, 12 * hour)).map((args) => renew(...args)),
    rarely,
    govern,
  ];
}

export function givePassword(oracle: Oracle, world: World, name: string, password: string | undefined): void {
  const person = oracle.access.people.get(name);
  if (person === undefined || password === undefined) return;
  person.password = password;
  world.passwords.push(password);
}

/** Compares the answers, and when a session has begun, remembers its token. */
async function compareBegun<Name extends 'initialize' | 'login'>(
  oracle: Oracle,
  world: World,
  expected: Code,
  ...[route, from, input]: [Name, string, Parameters<typeof world.nexus.ask<Name>>[2]]
): Promise<void> {
  const { code, output } = await world.nexus.ask(route, from, input);
  assert.equal(code, expected);
  if (output === undefined) return;
  const { token, session: begun } = output;
  world.tokens.set(oracle.access.sessions.at(-1) ?? assert.fail(), { token, accessor: begun.accessor });
}
