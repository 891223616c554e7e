import assert from 'node:assert/strict';
import { SpiffeId } from '@spike/spiffe';
import fc from 'fast-check';
import type { OracleSession } from '../../admin/testing/oracle.ts';
import { stateOf } from './glass-oracle.ts';
import type { Oracle } from './oracle.ts';
import { workloads, type World } from './world.ts';

/** The oracle of the instance that there is. */
export interface Model {
  oracle: Oracle;
}

export type Command = fc.AsyncCommand<Model, World>;

export const names = ['admin', 'bob', 'eve'] as const;
const everybody = { name: 'admin', role: 'super_admin' } as const;

/** One command, after which everything that can be seen is as the oracle says. */
export function step(
  name: string,
  run: (oracle: Oracle, world: World, model: Model) => Promise<void>,
): Command {
  return {
    check: () => true,
    run: async (model, world) => {
      await run(model.oracle, world, model);
      await compare(model.oracle, world);
    },
    toString: () => name,
  };
}

/** What chance would seldom put in this order, under a name of its own or under theirs. */
export function inARow(all: readonly Command[], name = all.join(', then ')): Command {
  return {
    check: () => true,
    run: async (model, world) => {
      for (const command of all) await command.run(model, world);
    },
    toString: () => name,
  };
}

/** Some session by a number: mostly one that lives, of somebody who is this, and now and then any. */
export const session = fc.nat(1_000);

export function sessionAt(oracle: Oracle, at: number, role?: string): OracleSession | undefined {
  const live = oracle.live();
  const fit = live.filter(({ user }) => role === undefined || oracle.roles.get(user) === role);
  const some = at % 8 === 0 || fit.length === 0 ? oracle.access.sessions : fit;
  return some[at % Math.max(some.length, 1)];
}

export function superAt(oracle: Oracle, at: number): OracleSession | undefined {
  return sessionAt(oracle, at, 'super_admin');
}

async function compare(oracle: Oracle, world: World): Promise<void> {
  const { access, emergency, denials } = world.nexus.serving;
  const { breakglass, approvals } = emergency;
  assert.ok(access !== undefined && breakglass !== undefined);
  assert.equal(access.initialisation.done !== undefined, oracle.access.isDone);
  assert.deepEqual(
    access.sessions.list(undefined).map(({ accessor }) => accessor),
    oracle.live().map((one) => world.tokens.get(one)?.accessor),
    'sessions',
  );
  assert.deepEqual(
    new Map(
      (await access.administrators.list(undefined)).map(({ name, role, state }) => [
        name,
        `${role} ${state}`,
      ]),
    ),
    new Map(
      [...oracle.access.people].map(([name, { enabled }]) => [
        name,
        `${oracle.roles.get(name)} ${enabled ? 'enabled' : 'disabled'}`,
      ]),
    ),
    'administrators',
  );
  assert.deepEqual(
    new Map((await breakglass.list(everybody)).map(({ id, state }) => [id, state])),
    new Map(oracle.glasses.map((glass) => [world.glasses.get(glass), stateOf(glass, oracle.now)])),
    'break-glasses',
  );
  for (const name of names)
    assert.equal(breakglass.isOpen(name), oracle.isOpen(name), `break-glass of ${name}`);
  assert.deepEqual(
    approvals.list().map(({ id, state, answered }) => [id, state, answered]),
    oracle.approvals
      .list(oracle.now)
      .map((one) => [
        world.approvals.get(one),
        one.isApproved ? 'approved' : 'waiting',
        [...one.answered].toSorted((a, b) => a - b),
      ]),
    'approvals',
  );
  assert.deepEqual(
    new Map(emergency.door.list().map(({ spiffeId, by }) => [spiffeId, by])),
    new Map(oracle.passes()),
    'who may take shares out',
  );
  for (const id of workloads)
    assert.equal(denials.denies(SpiffeId.parse(id)), oracle.denied.covers(id, oracle.now), id);
  assert.deepEqual(
    (await denials.list()).map(({ spiffeId }) => spiffeId).toSorted(),
    oracle.denied.list(oracle.now).toSorted(),
    'denials',
  );
}
