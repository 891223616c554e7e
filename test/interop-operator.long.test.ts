import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { formatShare, parseShare } from '@spike/recovery';
import { buildGo } from './interop/build.ts';
import { Program } from './interop/program.ts';
import { killKeyHolders, shareOfAnotherKey } from './loss.ts';
import { repository, System, until } from './system.ts';

const path = 'tenants/acme/db';
/** Runs a command at a terminal of its own and shows what it shows. */
const terminal = ['script', '--quiet', '--return', '--command'] as const;

let goSpike: string;
before(async () => {
  goSpike = (await buildGo()).spike;
});

async function startSystem(): Promise<System> {
  const system = await System.start({ args: ['--no-recovery-file'] });
  await system.mustSpike(['secret', 'put', path, 'pass=correct horse']);
  for (const role of ['recover', 'restore']) {
    await system.mustSpike(['authority', 'entry', 'create', '--spiffe-id', `/spike/pilot/role/${role}`]);
  }
  return system;
}

/** The Go SDK with one of the operator identities, which it looks at itself before it calls. */
async function startGo(system: System, role: 'recover' | 'restore'): Promise<Program> {
  const { endpointSocket, nexusUrl } = await system.context();
  const args = ['authority', 'run', `/spike/pilot/role/${role}`, '--', goSpike];
  return Program.start(process.execPath, [join(repository, 'bin', 'spike.mjs'), ...args], {
    SPIKE_HOME: system.home.root,
    SPIFFE_ENDPOINT_SOCKET: endpointSocket,
    SPIKE_NEXUS_API_URL: nexusUrl,
    SPIKE_TRUST_ROOT_NEXUS: 'spike.ist',
    SPIKE_TRUST_ROOT_PILOT: 'spike.ist',
  });
}

/** Types a share at a terminal once it is asked for; answers all that the terminal showed. */
async function restoreAtTerminal(system: System, share: string): Promise<string> {
  const command = `${process.execPath} ${join(repository, 'bin', 'spike.mjs')} operator restore`;
  const [program, ...options] = terminal;
  const child = spawn(program, [...options, command, '/dev/null'], {
    env: { ...process.env, SPIKE_HOME: system.home.root },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let shown = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (shown += text));
  const gone = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  try {
    await until('it asks for a share', () => shown.includes('Enter recovery shard'));
    child.stdin.write(`${share}\r`);
    assert.equal(await gone, 0, shown);
    return shown;
  } finally {
    child.kill('SIGKILL');
  }
}

/** The whole loss of the root key, up to the moment in which Nexus asks for people. */
async function loseKey(system: System): Promise<void> {
  await killKeyHolders(system);
  await until('Nexus asks for people', async () => {
    const { stdout } = await system.spike(['status', '-f', 'human']);
    return stdout.includes('spike operator restore');
  });
}

async function assertSecret(system: System): Promise<void> {
  assert.equal(await system.mustSpike(['secret', 'get', path, 'pass']), 'correct horse\n');
}

function shardsOf(result: unknown): ReadonlyMap<number, readonly number[]> {
  assert.ok(typeof result === 'object' && result !== null);
  return new Map(Object.entries(result).map(([id, value]) => [Number(id), value as readonly number[]]));
}

test('shares that the Go client took out are put back with our command', async () => {
  await using system = await startSystem();
  let shards: ReadonlyMap<number, readonly number[]>;
  {
    await using go = await startGo(system, 'recover');
    shards = shardsOf((await go.ask({ do: 'recover' }))['result']);
  }
  assert.deepEqual([...shards.keys()], [1, 2, 3]);
  await loseKey(system);
  const restore = (input: string) => system.spike(['operator', 'restore'], { input });
  // What the Go command writes into its files has no line break at the end.
  const text = (id: number): string => formatShare({ id, value: shards.get(id) ?? [] });
  const refused = await restore(shareOfAnotherKey(1));
  assert.equal(refused.code, 1, refused.stderr);
  assert.match(refused.stderr, /share 1 is not a recovery share of instance/);
  assert.match((await restore(text(3))).stdout, /Shards collected: +1\n +Shards remaining: +1/);
  assert.match((await restore(text(3))).stdout, /Shard 3 was given before/);
  assert.match((await restore(`${text(1)}${text(2)}`)).stderr, /one at a time/);
  assert.match((await restore('x'.repeat(5000))).stderr, /larger than 4096 bytes/);
  const shown = await restoreAtTerminal(system, text(2));
  assert.match(shown, /restored and ready/);
  assert.ok(!shown.includes(text(2).slice('spike:2:'.length, -4)), 'what is typed is not shown');
  await assertSecret(system);
  const healthy = await restore(text(1));
  assert.equal(healthy.code, 1, healthy.stderr);
  assert.match(healthy.stderr, /there is nothing to restore/);
});

test('shares that our command took out are put back with the Go client, and it is told of wrong ones and of a healthy Nexus', async () => {
  await using system = await startSystem();
  const directory = join(system.home.root, 'taken', 'recover');
  const recover = (...args: readonly string[]) =>
    system.spike(['operator', 'recover', ...args], {
      env: { SPIKE_PILOT_RECOVERY_DIR: join(system.home.root, 'taken') },
    });
  const taken = await recover();
  assert.equal(taken.code, 0, taken.stderr);
  assert.match(taken.stdout, /recovery directory/);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  const names = await readdir(directory);
  assert.deepEqual(
    names,
    [1, 2, 3].map((id) => `spike.recovery.${id}.txt`),
  );
  const read = async (id: number) =>
    parseShare(await readFile(join(directory, `spike.recovery.${id}.txt`), 'utf8'));
  const shares = [await read(1), await read(2), await read(3)];

  // Another instance's shares lie there: they are not lost by accident.
  await writeFile(join(directory, 'spike.recovery.1.txt'), shareOfAnotherKey(1));
  const other = await recover();
  assert.equal(other.code, 6, other.stderr);
  assert.match(other.stderr, /move them away first/);
  assert.equal((await recover('--replace')).code, 0);
  assert.deepEqual(await read(1), shares[0]);

  await loseKey(system);
  await using go = await startGo(system, 'restore');
  const restore = async (id: number) => {
    const share = shares[id - 1];
    assert.ok(share !== undefined);
    return await go.ask({ do: 'restore', id, shard: share.value });
  };
  const foreign = parseShare(shareOfAnotherKey(2));
  assert.deepEqual(await go.ask({ do: 'restore', id: 2, shard: foreign.value }), { code: 'api_bad_request' });
  assert.deepEqual(await go.ask({ do: 'restore', id: 0, shard: foreign.value }), { code: 'api_bad_request' });
  const first = { result: { collected: 1, remaining: 1, restored: false } };
  assert.deepEqual(await restore(1), first);
  assert.deepEqual(await restore(1), first, 'the same share counts once');
  assert.deepEqual(await restore(3), { result: { collected: 2, remaining: 0, restored: true } });
  await assertSecret(system);
  assert.deepEqual(await restore(2), { code: 'api_bad_request' }, 'a Nexus that has its key takes none');
});

test('the operator routes are for their roles alone, whichever client asks', async () => {
  await using system = await startSystem();
  for (const [role, call] of [
    ['recover', { do: 'get', path }],
    ['restore', { do: 'put', path, values: { pass: 'other' } }],
    ['restore', { do: 'list' }],
  ] as const) {
    await using go = await startGo(system, role);
    assert.deepEqual(await go.ask(call), { code: 'access_unauthorized' });
  }
  await assertSecret(system);
});
