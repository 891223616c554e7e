import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toSpikeError } from '@spike/error';
import { DenialStage } from './testing/stage.ts';

/* What denials do, compared with a map and a comparison of texts. */

interface Model {
  now: number;
  /** The end of each; undefined for none. */
  readonly all: Map<string, number | undefined>;
}

interface Real {
  stage: DenialStage;
}

const paths = ['/a', '/a/b', '/a/b/c', '/ab', '/a/bc', '/d'];
const ids = ['spike.ist', 'other.org'].flatMap((domain) => paths.map((path) => `spiffe://${domain}${path}`));
const subject = fc.constantFrom(...ids, ...ids.map((id) => `${id}/*`));
const minute = 60_000;

function isDenied({ all, now }: Model, id: string): boolean {
  return [...all].some(
    ([text, end]) =>
      (end === undefined || now < end) &&
      (text.endsWith('/*') ? id.startsWith(text.slice(0, -1)) : text === id),
  );
}

const live = ({ all, now }: Model): string[] =>
  [...all].flatMap(([text, end]) => (end === undefined || now < end ? [text] : []));

function command(
  name: string,
  run: (model: Model, real: Real) => Promise<void>,
): fc.AsyncCommand<Model, Real> {
  return {
    check: () => true,
    run: async (model, real) => {
      await run(model, real);
      const { stage } = real;
      for (const id of ids) assert.equal(stage.denies(id), isDenied(model, id), id);
      const shown = (await stage.denials.list()).map(({ spiffeId }) => spiffeId);
      assert.deepEqual(shown.toSorted(), live(model).toSorted());
      assert.equal(stage.denials.count, shown.length);
    },
    toString: () => name,
  };
}

const put = (text: string, minutes: number | undefined) =>
  command(`put ${text} ${minutes}`, async (model, { stage }) => {
    await stage.put(text, minutes === undefined ? {} : { ms: minutes * minute });
    model.all.set(text, minutes === undefined ? undefined : model.now + minutes * minute);
  });

const lift = (text: string) =>
  command(`lift ${text}`, async (model, { stage }) => {
    const code = await stage.lift(text).then(
      () => 'ok',
      (thrown: unknown) => toSpikeError(thrown).code,
    );
    assert.equal(code, live(model).includes(text) ? 'ok' : 'api_not_found');
    model.all.delete(text);
  });

const pass = (minutes: number) =>
  command(`pass ${minutes}`, async (model, { stage }) => {
    stage.pass(minutes * minute);
    model.now += minutes * minute;
    return Promise.resolve();
  });

const look = () => command('look', async (_model, { stage }) => await stage.denials.look());

/** The wall clock is set while it runs, which moves no end, and back before the process ends. */
const setClock = (hours: number) =>
  command(`set the clock by ${hours} h`, async (_model, { stage }) => {
    stage.kept.at.wall += hours * 60 * minute;
    await stage.denials.list();
    stage.kept.at.wall -= hours * 60 * minute;
  });

const restart = () =>
  command('restart', async (_model, real) => {
    real.stage = await real.stage.restart();
  });

const fail = (text: string) =>
  command(`fail to put ${text}`, async (_model, { stage }) => {
    stage.kept.fixture.store.faults.push('before');
    await assert.rejects(stage.put(text));
  });

test('denials do what a map and a comparison of texts do, in any order, over restarts and failures', async () => {
  const minutes = fc.integer({ min: 1, max: 30 });
  const steps = fc.commands(
    [
      fc.tuple(subject, fc.option(minutes, { nil: undefined })).map((args) => put(...args)),
      subject.map(lift),
      minutes.map(pass),
      fc.constant(look()),
      fc.integer({ min: -48, max: 48 }).map(setClock),
      fc.constant(restart()),
      subject.map(fail),
    ],
    { maxCommands: 40, size: 'max' },
  );
  await fc.assert(
    fc.asyncProperty(steps, async (commands) => {
      const real: Real = { stage: await DenialStage.open() };
      try {
        await fc.asyncModelRun(() => ({ model: { now: 0, all: new Map() }, real }), commands);
      } finally {
        await real.stage[Symbol.asyncDispose]();
      }
    }),
    { numRuns: 60 },
  );
});
