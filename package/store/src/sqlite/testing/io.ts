import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { SpikeError } from '@spike/error';
import { toSealed } from '../../seal.ts';
import type { Store } from '../../store.ts';
import { makePut } from '../../suite.ts';
import { openSqliteStore } from '../store.ts';

/**
 * For each directory that comes as a line: opens a store there, changes it, reads it, closes it and does so again, and
 * says as one JSON line what came of each step. The disk below is the test's.
 */
for await (const directory of createInterface({ input: process.stdin })) {
  const steps: string[] = [];
  await live(directory, steps, ['1', '2']);
  await live(directory, steps, ['3']);
  writeSync(1, `${JSON.stringify(steps)}\n`);
}

async function live(directory: string, steps: string[], names: readonly string[]): Promise<void> {
  let store: Store | undefined;
  await step(steps, 'open', async () => {
    store = await openSqliteStore({ directory, signal: AbortSignal.timeout(30_000) });
  });
  const opened = store;
  if (opened === undefined) return;
  for (const name of names) {
    await step(steps, `commit ${name}`, async () => {
      const part = { body: toSealed(new Uint8Array(Number(name) * 3_000)), revision: Number(name) };
      const result = await opened.commit([
        makePut('left', part),
        makePut(`new ${name}`, part),
        makePut('right', part),
      ]);
      if (!result.ok) throw new Error('nothing was expected');
    });
    await step(steps, 'read', async () => {
      await opened.get('secret', Buffer.from('left'));
      await opened.list('secret', new Uint8Array(), { limit: 100 });
    });
  }
  await step(steps, 'close', async () => opened[Symbol.asyncDispose]());
}

/** Says `NAME ok`, or with what it failed: `NAME code outcome`. */
async function step(steps: string[], name: string, act: () => Promise<void>): Promise<void> {
  try {
    await act();
    steps.push(`${name}: ok`);
  } catch (error) {
    const told =
      error instanceof SpikeError ? `${error.code} ${String(error.detail['outcome'])}` : String(error);
    steps.push(`${name}: ${told}`);
  }
}
