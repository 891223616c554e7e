import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAnnouncement, Part, runOnce, type PartOptions } from './child.ts';

const deadlineMs = 20_000;

async function until(what: string, look: () => boolean): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!look()) {
    assert(performance.now() < end, `it did not happen: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A part that is this text of JavaScript, and what the supervisor was told of it. */
async function open(source: string, options: Partial<PartOptions> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'spike-part-'));
  const file = join(directory, 'part.mjs');
  await writeFile(file, source);
  const told = {
    spawned: [] as number[],
    gone: [] as number[],
    ready: [] as unknown[],
    log: [] as string[],
    exits: [] as string[],
    at: [] as number[],
  };
  const all: PartOptions = {
    app: 'keeper',
    program: (_app, args) => ({ file: process.execPath, args: [...process.execArgv, file, ...args] }),
    name: 'keeper 1',
    args: () => [String(told.spawned.length)],
    env: () => ({ ...process.env, DIRECTORY: directory }),
    onSpawn: async (pid) => {
      told.spawned.push(pid);
      told.at.push(performance.now());
    },
    onGone: (pid) => void told.gone.push(pid),
    onReady: (announcement) => void told.ready.push(announcement),
    onLog: (line) => void told.log.push(line),
    onExit: (how) => void told.exits.push(how),
    ...options,
  };
  return {
    told,
    options: all,
    directory,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

const serving = `
process.stderr.write('{"event":"hello"}\\n');
process.stdout.write('noise\\n' + JSON.stringify({ event: 'ready', port: 7, life: process.argv[2] }) + '\\n');
process.stdin.resume().on('end', () => process.exit(0));
process.on('SIGTERM', () => process.exit(0));
`;

test('a part that ends while everything is about to stop is neither started again nor told of', async () => {
  const ending = new AbortController();
  await using rig = await open(serving, { ending: ending.signal });
  const { told, options } = rig;
  // Another one that ends after it and comes back tells how long the first had the time to.
  await using clock = await open(serving);
  await using part = new Part(options);
  await using other = new Part(clock.options);
  await until('both serve', () => part.ready !== undefined && other.ready !== undefined);
  ending.abort();
  assert.ok(part.pid !== undefined && other.pid !== undefined);
  process.kill(part.pid, 'SIGTERM');
  await until('it has ended', () => told.gone.length === 1);
  process.kill(other.pid, 'SIGTERM');
  await until('the other one is back', () => clock.told.spawned.length === 2);
  assert.deepEqual([told.spawned.length, told.exits], [1, []]);
});

test('a part that is killed is started again with new arguments, and both lives are told', async () => {
  await using rig = await open(serving);
  const { told, options } = rig;
  {
    await using part = new Part(options);
    await until('it serves', () => part.ready !== undefined);
    assert.deepEqual(part.ready, { event: 'ready', port: 7, life: '0' });
    const first = part.pid;
    assert(first !== undefined);
    process.kill(first, 'SIGKILL');
    await until('it serves again', () => told.ready.length === 2 && part.ready !== undefined);
    assert.notEqual(part.pid, first);
    assert.deepEqual(part.ready, { event: 'ready', port: 7, life: '1' });
    assert.deepEqual(told.exits, ['was ended by SIGKILL']);
    assert.deepEqual(told.gone, [first]);
    assert.deepEqual(told.log, ['{"event":"hello"}', '{"event":"hello"}']);
  }
  assert.equal(told.gone.length, 2);
  assert.equal(told.exits.length, 1, 'a stop is no accident');
});

test('a part that never serves is started again after pauses that grow from 0.2 s', async () => {
  await using rig = await open('process.exit(3);');
  const { told, options } = rig;
  {
    await using _part = new Part(options);
    await until('it was started three times', () => told.spawned.length === 3);
  }
  const [first = 0, second = 0, third = 0] = told.at;
  assert.ok(second - first >= 190, `${second - first}`);
  assert.ok(third - second >= 390, `${third - second}`);
  assert.deepEqual(told.exits.slice(0, 2), ['ended with code 3', 'ended with code 3']);
});

test('a part that cannot be registered is ended and started again', async () => {
  let refuse = true;
  await using rig = await open(serving, {
    onSpawn: async () => {
      if (!refuse) return;
      refuse = false;
      throw new Error('the authority says no');
    },
  });
  await using part = new Part(rig.options);
  await until('it was ended', () => rig.told.exits.length === 1);
  assert.deepEqual(rig.told.exits, ['was ended by SIGKILL']);
  await until('the next one serves', () => part.ready !== undefined);
});

test('a part is told that it is supervised', async () => {
  await using rig = await open(
    `process.stdout.write(JSON.stringify({ event: 'ready', told: process.env.SPIKE_SUPERVISED }) + '\\n');
    setInterval(() => undefined, 1000);`,
  );
  await using part = new Part(rig.options);
  await until('it serves', () => part.ready !== undefined);
  assert.deepEqual(part.ready, { event: 'ready', told: '1' });
});

test('a part that ends by itself gives its exit code, and one that does not is ended at the deadline', async () => {
  await using quick = await open('process.exit(9);');
  assert.equal(await runOnce(quick.options, AbortSignal.timeout(deadlineMs)), 9);
  assert.deepEqual(quick.told.gone, quick.told.spawned);
  await using slow = await open('setInterval(() => undefined, 1000);');
  await assert.rejects(runOnce(slow.options, AbortSignal.timeout(300)), { code: 'net_timeout' });
  assert.deepEqual(slow.told.gone, slow.told.spawned);
});

test('an announcement is one short line of JSON that says ready', () => {
  assert.deepEqual(parseAnnouncement('{"event":"ready","port":1,"other":{}}'), { event: 'ready', port: 1 });
  for (const line of ['', 'ready', '{"event":"other"}', 'null', '7', '{"event":"ready"', ' '.repeat(5000)]) {
    assert.equal(parseAnnouncement(line), undefined, line.slice(0, 20));
  }
});
