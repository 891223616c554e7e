import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toSpikeError } from '@spike/error';
import { hour, minute } from '../admin/testing/stage.ts';
import type { Actor } from './port.ts';
import { BreakglassStage, delayMs, superAdmin } from './testing/stage.ts';

/* What a break-glass does, compared with a few lines that say what it should do. */

interface Expected {
  readonly id: string;
  readonly of: string;
  readonly asked: number;
  readonly ttlMs: number;
  approved: number | undefined;
  ended: 'cancelled' | 'closed' | undefined;
}

interface Model {
  now: number;
  readonly all: Expected[];
  readonly disabled: Set<string>;
}

interface Real {
  stage: BreakglassStage;
}

const openers: readonly Actor[] = ['eve', 'ed'].map((name) => ({ name, role: 'emergency_admin' }));
const opener = fc.constantFrom(...openers);
const decider = fc.constantFrom<Actor>(superAdmin, ...openers);

function stateOf({ asked, approved, ended, ttlMs }: Expected, now: number): string {
  if (ended !== undefined) return ended;
  const begins = approved ?? asked + delayMs;
  if (now >= begins + ttlMs) return 'over';
  return now >= begins ? 'open' : 'waiting';
}

const isLive = (one: Expected, now: number): boolean => ['open', 'waiting'].includes(stateOf(one, now));

async function codeOf(run: () => Promise<unknown>): Promise<string> {
  return await run().then(
    () => 'ok',
    (thrown: unknown) => toSpikeError(thrown).code,
  );
}

type Step = fc.AsyncCommand<Model, Real>;

function command(name: string, run: (model: Model, real: Real) => Promise<void>): Step {
  return {
    check: () => true,
    run: async (model, real) => {
      await run(model, real);
      const { breakglass } = real.stage;
      const shown = await breakglass.list(superAdmin);
      assert.deepEqual(
        new Map(shown.map(({ id, state }) => [id, state])),
        new Map(model.all.map((one) => [one.id, stateOf(one, model.now)])),
      );
      for (const { name: of } of openers) {
        const isOpen = model.all.some((one) => one.of === of && stateOf(one, model.now) === 'open');
        assert.equal(breakglass.isOpen(of), isOpen && !model.disabled.has(of));
      }
    },
    toString: () => name,
  };
}

const ask = (actor: Actor, minutes: number): Step =>
  command(`ask ${actor.name} ${minutes}`, async (model, { stage }) => {
    const ttlMs = minutes * minute;
    const busy = model.all.some((one) => one.of === actor.name && isLive(one, model.now));
    const code = await codeOf(async () => await stage.ask(ttlMs, actor));
    assert.equal(code, busy ? 'entity_version_conflict' : 'ok');
    if (busy) return;
    const known = model.all.map(({ id }) => id);
    const id = (await stage.breakglass.list(superAdmin)).find((one) => !known.includes(one.id))?.id ?? '';
    model.all.push({ id, of: actor.name, asked: model.now, ttlMs, approved: undefined, ended: undefined });
  });

const approve = (actor: Actor, index: number): Step =>
  command(`approve ${actor.name} ${index}`, async (model, { stage }) => {
    const one = model.all[index % Math.max(model.all.length, 1)];
    if (one === undefined) return;
    const may = stateOf(one, model.now) === 'waiting' && !model.disabled.has(one.of) && actor.name !== one.of;
    const code = await codeOf(async () => await stage.approve(one.id, actor));
    assert.equal(code, may ? 'ok' : 'entity_version_conflict');
    if (may) one.approved = model.now;
  });

const cancel = (index: number): Step =>
  command(`cancel ${index}`, async (model, { stage }) => {
    const one = model.all[index % Math.max(model.all.length, 1)];
    if (one === undefined) return;
    const live = isLive(one, model.now);
    const code = await codeOf(async () => await stage.cancel(one.id));
    assert.equal(code, live ? 'ok' : 'entity_version_conflict');
    if (live) one.ended = 'cancelled';
  });

const close = (actor: Actor): Step =>
  command(`close ${actor.name}`, async (model, { stage }) => {
    const one = model.all.find(({ of, ...rest }) => of === actor.name && isLive({ of, ...rest }, model.now));
    const code = await codeOf(async () => await stage.close(actor));
    assert.equal(code, one === undefined ? 'api_not_found' : 'ok');
    if (one !== undefined) one.ended = 'closed';
  });

const pass = (minutes: number): Step =>
  command(`pass ${minutes} min`, async (model, { stage }) => {
    stage.access.pass(minutes * minute);
    model.now += minutes * minute;
  });

const restart = (): Step =>
  command('restart', async (_model, real) => {
    real.stage = await real.stage.restart();
  });

const toggle = (actor: Actor): Step =>
  command(`disable or enable ${actor.name}`, async (model, { stage }) => {
    const enable = model.disabled.has(actor.name);
    const { administrators } = stage.access.layer;
    await administrators.setEnabled(superAdmin, actor.name, enable, stage.access.asked());
    if (enable) model.disabled.delete(actor.name);
    else model.disabled.add(actor.name);
  });

test('a break-glass does what a few lines say that it should do, in any order', async () => {
  const index = fc.nat({ max: 20 });
  const steps = fc.commands(
    [
      fc.tuple(opener, fc.integer({ min: 1, max: 720 })).map((args) => ask(...args)),
      fc.tuple(decider, index).map((args) => approve(...args)),
      index.map(cancel),
      opener.map(close),
      fc.integer({ min: 1, max: (2 * delayMs) / minute }).map(pass),
      fc.constant(hour / minute).map(pass),
      fc.constant(restart()),
      opener.map(toggle),
    ],
    { maxCommands: 40, size: 'max' },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (commands) => {
      const stage = await BreakglassStage.open();
      await stage.create('ed', 'emergency_admin');
      const real: Real = { stage };
      try {
        const model: Model = { now: 0, all: [], disabled: new Set() };
        await fc.asyncModelRun(() => ({ model, real }), commands);
      } finally {
        await real.stage[Symbol.asyncDispose]();
      }
    }),
    { numRuns: 40 },
  );
});
