import fc from 'fast-check';
import type { Store } from '@spike/store';
import { hour, minute } from '../../admin/testing/stage.ts';
import { accessCommands, create, enter, init } from './access-command.ts';
import { split } from './approval-oracle.ts';
import { inARow, names, step, type Command, type Model } from './command.ts';
import { allow, emergencyCommands, write } from './emergency-command.ts';
import { Oracle } from './oracle.ts';
import { ids, World } from './world.ts';

const year = 365 * 24 * hour;
const mostCommands = 80;

/** Any sequence of commands, over restarts and factory resets, is answered as the oracle answers it. */
export async function checkAccess(kind: Store['kind'], runs: number, seed?: number): Promise<void> {
  const sequences = fc.commands(commands(), { maxCommands: mostCommands, size: 'max' });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(true, true, true, true, true, false),
      sequences,
      async (isSettled, sequence) => {
        const world = await World.open(kind);
        await using _world = world;
        const model: Model = { oracle: new Oracle(world.machine.at.wall) };
        if (isSettled) await settle.run(model, world);
        await fc.asyncModelRun(() => ({ model, real: world }), sequence);
      },
    ),
    { numRuns: runs, ...(seed === undefined ? {} : { seed }) },
  );
}

/** Somebody of each kind is there and has logged in, and there is something to read. */
const settle = inARow(
  [
    init(true, ids[0]),
    create(1, 'bob', 'super_admin', ids[1]),
    create(1, 'eve', 'emergency_admin', ids[0]),
    enter('bob'),
    enter('eve'),
    allow(2),
    write(2),
  ],
  'settle',
);

/** As people do who find that their sessions are over. */
const enterAll = inARow(names.map(enter), 'everybody enters');

function commands(): fc.Arbitrary<Command>[] {
  const briefly = fc.constantFrom(1, 999, 1_000, 5_000, 30_000, minute, 10 * minute, 14 * minute);
  const long = fc.constantFrom(
    15 * minute,
    hour,
    4 * hour - 1,
    4 * hour,
    12 * hour,
    24 * hour,
    7 * 24 * hour,
  );
  const pass = fc.oneof({ weight: 5, arbitrary: briefly }, { weight: 1, arbitrary: long }).map((ms) =>
    step(`pass ${ms}`, async (oracle, world) => {
      oracle.pass(ms);
      world.pass(ms);
    }),
  );
  const jump = fc.constantFrom(-year, -hour, -7_000, 7_000, hour, year).map((ms) =>
    step(`jump ${ms}`, async (oracle, world) => {
      oracle.access.wall += ms;
      world.machine.at.wall += ms;
    }),
  );
  const holders = fc.shuffledSubarray(
    Array.from({ length: split.count }, (_, index) => index + 1),
    { minLength: split.threshold, maxLength: split.threshold },
  );
  const isBack = fc.constantFrom(true, true, true, true, false);
  const restart = fc.tuple(holders, isBack).map(([order, isEntered]) => {
    const again = step(`restart, with shares ${order.join(' and ')}`, async (oracle, world) => {
      await world.restart(order);
      oracle.restart();
    });
    return isEntered ? inARow([again, enterAll]) : again;
  });
  const reset = isBack.map((isSettled) => {
    const wiped = step('reset', async (_oracle, world, model) => {
      await world.reset();
      model.oracle = new Oracle(world.machine.at.wall);
    });
    // The code of before is tried each time, and is nothing.
    return inARow([wiped, init(false, ids[1]), ...(isSettled ? [settle] : [])]);
  });
  const rarely = fc.oneof(
    { weight: 3, arbitrary: jump },
    { weight: 4, arbitrary: restart },
    { weight: 2, arbitrary: reset },
  );
  return [pass, pass, rarely, fc.constant(enterAll), ...accessCommands(), ...emergencyCommands()];
}
