import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Embedded } from './embedded.ts';

/* The ways in which somebody takes the identity of Nexus away, on the embedded authority. */

let system: Embedded;
let pid: number;

before(async () => {
  system = await Embedded.start(['--keeper-probe', '100ms'], { SPIKE_NEXUS_AGENT_GRACE: '1s' });
  pid = await system.pidOf('nexus');
});

after(async () => await system[Symbol.asyncDispose]());

/** It serves again by itself, in the same process. */
async function isBack(): Promise<void> {
  await system.reach('ready');
  assert.equal(await system.pidOf('nexus'), pid);
}

test('an entry that is deleted locks it, and one that is made again unlocks it', async () => {
  await system.reach('ready');
  await system.withdraw();
  await system.reach('starting');
  await system.giveBack();
  await isBack();
});

test('an entry whose selectors are another process’s locks it, and the right ones unlock it', async () => {
  await system.reach('ready');
  await system.withdraw();
  await system.giveBack(['part:bootstrap']);
  await system.reach('starting');
  await system.withdraw();
  await system.giveBack();
  await isBack();
});

test('an authority that stands still locks it after the grace, and one that goes on unlocks it', async () => {
  await system.reach('ready');
  const authority = await system.pidOf('authority');
  process.kill(authority, 'SIGSTOP');
  try {
    await system.reach('starting');
  } finally {
    process.kill(authority, 'SIGCONT');
  }
  await isBack();
});
