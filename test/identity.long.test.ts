import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openScratch, repository, System, type Outcome } from './system.ts';

let system: System;
before(async () => {
  system = await System.start();
});
after(async () => {
  await system[Symbol.asyncDispose]();
});

/** An agent that is silent is waited for, and no longer than this beyond what the command takes without one. */
const patienceMs = 4_000;

/** It fails with this code, says why on standard error alone, and shows no stack. */
function assertFailure(outcome: Outcome, code: number, reason: RegExp): void {
  assert.equal(outcome.code, code, outcome.stderr + outcome.stdout);
  assert.match(outcome.stderr, reason);
  assert.doesNotMatch(outcome.stderr, /^\s+at .*:\d+/m);
  assert.equal(outcome.stdout, '');
}

async function spikeAs(path: string, args: readonly string[]): Promise<Outcome> {
  return await system.spike([
    'authority',
    'run',
    path,
    '--',
    process.execPath,
    join(repository, 'bin', 'spike.mjs'),
    ...args,
  ]);
}

test('a process without the identity is told which entry it needs, with exit code 4', async () => {
  const [restore, recover, workload] = await Promise.all([
    system.spike(['operator', 'restore'], { input: `spike:1:${'ab'.repeat(32)}` }),
    system.spike(['operator', 'recover']),
    spikeAs('/workload/stranger', ['secret', 'list']),
  ]);
  assertFailure(restore, 4, /entry create --spiffe-id \/spike\/pilot\/role\/restore/);
  assertFailure(recover, 4, /entry create --spiffe-id \/spike\/pilot\/role\/recover/);
  assertFailure(workload, 4, /entry create --spiffe-id \/spike\/pilot\/role\/superuser/);
});

test('operators recover and restore with identities that somebody made for them', async () => {
  await using scratch = await openScratch();
  const make = (role: string) =>
    system.mustSpike([
      'authority',
      'entry',
      'create',
      '--spiffe-id',
      `/spike/pilot/role/${role}`,
      '-f',
      'json',
    ]);
  const entry = JSON.parse(await make('recover')) as { id: string; selectors: string[] };
  assert.deepEqual(entry.selectors, [`uid:${process.getuid?.() ?? ''}`]);
  const written = await system.mustSpike(['operator', 'recover'], {
    env: { SPIKE_PILOT_RECOVERY_DIR: scratch.path },
  });
  const directory = join(scratch.path, 'recover');
  assert.match(written, /recovery directory/);
  assert.ok(written.includes(directory));
  const names = (await readdir(directory)).toSorted();
  assert.deepEqual(
    names,
    [1, 2, 3].map((id) => `spike.recovery.${id}.txt`),
  );
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  for (const name of names) {
    const path = join(directory, name);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const id = name.split('.')[2];
    const text = await readFile(path, 'utf8');
    assert.match(text, new RegExp(`^spike:${id}:[0-9a-f]{64}$`));
    assert.equal(text, await readFile(join(system.home.recovery, name), 'utf8'), 'the same shares each time');
  }

  await system.mustSpike(['authority', 'entry', 'delete', entry.id]);
  assertFailure(await system.spike(['operator', 'recover']), 4, /no identity/);
  assertFailure(await system.spike(['authority', 'entry', 'show', entry.id]), 3, /not found/);

  await make('restore');
  const share = await readFile(join(directory, 'spike.recovery.1.txt'), 'utf8');
  const [needless, garbage] = await Promise.all([
    system.spike(['operator', 'restore'], { input: share }),
    system.spike(['operator', 'restore'], { input: 'spike:1:xyz' }),
  ]);
  assertFailure(needless, 1, /there is nothing to restore/);
  assertFailure(garbage, 2, /shar[de]/);
  assert.doesNotMatch(garbage.stderr, /xyz/);
});

test('without an agent, with a silent one and without Nexus it ends with 7, soon', async () => {
  await using scratch = await openScratch();
  const held = new Set<Socket>();
  const silent = createServer((socket) => held.add(socket.on('error', () => undefined)));
  const socket = join(scratch.path, 'silent.sock');
  await new Promise<void>((resolve) => silent.listen(socket, resolve));
  await mkdir(join(scratch.path, 'home'), { mode: 0o700 });
  try {
    const run = async (env: Readonly<Record<string, string>>): Promise<Outcome & { readonly ms: number }> => {
      const started = performance.now();
      const outcome = await system.spike(['secret', 'list'], { env });
      return { ...outcome, ms: performance.now() - started };
    };
    const elsewhere = { SPIKE_HOME: join(scratch.path, 'home') };
    const closed = createServer();
    const port = await new Promise<number>((resolve) =>
      closed.listen(0, '127.0.0.1', () => {
        const address = closed.address();
        assert(typeof address === 'object' && address !== null);
        resolve(address.port);
      }),
    );
    await new Promise((resolve) => closed.close(resolve));
    const [none, mute, unreachable] = await Promise.all([
      run({ ...elsewhere, SPIFFE_ENDPOINT_SOCKET: `unix://${join(scratch.path, 'none.sock')}` }),
      run({ ...elsewhere, SPIFFE_ENDPOINT_SOCKET: `unix://${socket}` }),
      run({ SPIKE_NEXUS_API_URL: `https://127.0.0.1:${port}` }),
    ]);
    assert(mute.ms - none.ms < patienceMs, `it took ${mute.ms} ms, and ${none.ms} ms without an agent`);
    assertFailure(none, 7, /no SPIFFE agent answers at .*none\.sock/s);
    assertFailure(mute, 7, /no SPIFFE agent answers at .*silent\.sock/s);
    assertFailure(unreachable, 7, /Failed to connect to SPIKE Nexus/);
    assertFailure(await system.spike(['context'], { env: elsewhere }), 7, /npm start/);
  } finally {
    for (const peer of held) peer.destroy();
    await new Promise((resolve) => silent.close(resolve));
  }
});
