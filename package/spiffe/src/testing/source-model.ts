import { mock } from 'node:test';
import fc from 'fast-check';
import { SourceOracle } from './source-oracle.ts';
import { lifetimeMs, SourceStage } from './source-stage.ts';

type Run = (oracle: SourceOracle, stage: SourceStage) => Promise<void> | void;
type Check = (oracle: Readonly<SourceOracle>) => boolean;

class Step implements fc.AsyncCommand<SourceOracle, SourceStage> {
  readonly #label: string;
  readonly #run: Run;
  readonly check: Check;

  constructor(label: string, run: Run, check: Check = () => true) {
    this.#label = label;
    this.#run = run;
    this.check = check;
  }

  async run(oracle: SourceOracle, stage: SourceStage): Promise<void> {
    await this.#run(oracle, stage);
    await stage.check(oracle);
  }

  toString = (): string => this.#label;
}

const isUp: Check = ({ isUp: up }) => up;
const isDown: Check = ({ isUp: up }) => !up;
const bundles = fc.integer({ min: 0, max: 3 });
const absent = fc.record({ kind: fc.constant('absent' as const), bundles });

/** Few SVIDs, so that an earlier one comes again, as after an agent was set back. */
const ours = fc.record({ kind: fc.constant('ours' as const), svid: fc.integer({ min: 0, max: 8 }), bundles });
const answer = fc.oneof(
  { weight: 5, arbitrary: ours },
  { weight: 2, arbitrary: fc.constant({ kind: 'denied' as const }) },
  { weight: 1, arbitrary: absent },
);

const say = answer.map(
  (said) =>
    new Step(`say(${JSON.stringify(said)})`, (oracle, stage) => {
      oracle.say(said);
      stage.say(said);
    }),
);

/** The same SVID, and other trust domains. */
const changeBundles = bundles.map(
  (count) =>
    new Step(
      `bundles(${count})`,
      (oracle, stage) => {
        if (oracle.answer.kind === 'denied') return;
        const said = { ...oracle.answer, bundles: count };
        oracle.say(said);
        stage.say(said);
      },
      ({ answer: { kind } }) => kind !== 'denied',
    ),
);

const die = fc.constant(
  new Step(
    'die',
    async (oracle, stage) => {
      await stage.relay.stop();
      oracle.fall();
    },
    isUp,
  ),
);
const live = fc.constant(
  new Step(
    'live',
    async (oracle, stage) => {
      await stage.relay.stop();
      await stage.relay.start();
      oracle.rise();
    },
    isDown,
  ),
);
/** Alive for the kernel, and silent: only the signs of life tell. */
const freeze = fc.constant(
  new Step(
    'freeze',
    (oracle, stage) => {
      stage.relay.mute();
      oracle.fall();
    },
    ({ isUp: up, state }) => up && state === 'held',
  ),
);
/** An answer that takes its time, and less than what counts as silence. */
const dawdle = ours.map(
  (said) =>
    new Step(
      `dawdle(${JSON.stringify(said)})`,
      async (oracle, stage) => {
        stage.relay.mute();
        stage.say(said);
        await new Promise((resolve) => setTimeout(resolve, 20));
        stage.compare(oracle);
        stage.relay.unmute();
        oracle.say(said);
      },
      ({ isUp: up, state }) => up && state === 'held',
    ),
);
/** A connection that is cut within a message; the next one brings it whole. */
const cut = fc.tuple(fc.integer({ min: 0, max: 600 }), ours).map(
  ([bytes, said]) =>
    new Step(
      `cut(${bytes}, ${JSON.stringify(said)})`,
      (oracle, stage) => {
        stage.relay.cutAfter(bytes);
        stage.say(said);
        oracle.answer = said;
        oracle.reconnect();
      },
      isUp,
    ),
);
/** A whole frame with a part of a message: it is left out, and what was said before stays. */
const garble = fc.integer({ min: 1, max: 200 }).map(
  (bytes) =>
    new Step(
      `garble(${bytes})`,
      async (_oracle, stage) => {
        stage.sayPart(bytes);
        while (stage.source.error === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
      },
      ({ isUp: up, state }) => up && state === 'held',
    ),
);
/** Far enough that SVIDs end, and back. */
const setClock = fc.integer({ min: -2, max: 2 }).map(
  (lives) =>
    new Step(`clock(${lives})`, () => {
      mock.timers.setTime(start + lives * lifetimeMs);
    }),
);

const start = Date.parse('2030-01-01T00:00:00Z');
const sequence = fc.commands(
  [say, say, say, changeBundles, die, live, live, freeze, dawdle, cut, cut, garble, setClock],
  { maxCommands: 25 },
);

/** Random days in the life of a source, each compared with the oracle after every step. */
export async function checkSource(options: {
  readonly numRuns: number;
  readonly seed?: number;
}): Promise<void> {
  mock.timers.enable({ apis: ['Date'], now: start });
  try {
    await fc.assert(
      fc.asyncProperty(sequence, async (commands) => {
        mock.timers.setTime(start);
        const first = { kind: 'ours', svid: 0, bundles: 0 } as const;
        const oracle = new SourceOracle(first);
        await using stage = await SourceStage.open(first);
        await fc.asyncModelRun(() => ({ model: oracle, real: stage }), commands);
      }),
      { ...options, endOnFailure: true },
    );
  } finally {
    mock.timers.reset();
  }
}
