import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { openScratch, repository, runProgram, System, until } from './system.ts';

test('a killed authority comes back: bound programs keep their one ID, and Nexus does not take itself for withdrawn', async () => {
  await using system = await System.start({ args: ['--verbose'] });
  const program = spawn(
    process.execPath,
    [
      join(repository, 'bin', 'spike.mjs'),
      'authority',
      'run',
      '/workload/bound',
      '--',
      process.execPath,
      join(repository, 'test', 'fixture', 'watch.ts'),
    ],
    {
      cwd: repository,
      env: { ...process.env, SPIKE_HOME: system.home.root },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  try {
    const answers: string[] = [];
    createInterface({ input: program.stdout }).on('line', (line) => answers.push(line));
    const own = JSON.stringify(['spiffe://spike.ist/workload/bound']);
    await until('the program gets its ID', () => answers.at(-1) === own);
    const seen = answers.length;
    const [nexus] = await system.pidsOf('nexus');
    const [authority] = await system.pidsOf('authority');
    assert(authority !== undefined);
    process.kill(authority, 'SIGKILL');
    await until('the program gets its ID again', () => answers.slice(seen).includes(own));
    assert.deepEqual(
      answers.filter((answer) => answer !== own && answer !== 'null'),
      [],
      'it never got an ID that only its uid has',
    );
    await until('the authority knows its parts again', async () => {
      const { code, stdout } = await system.spike(['status', '-f', 'json']);
      return code === 0 && stdout.includes('"reachable": 3');
    });
    await system.mustSpike(['secret', 'put', 'after/kill', 'k=v']);
    assert.deepEqual(await system.pidsOf('nexus'), [nexus]);
    assert.doesNotMatch(system.output, /identity\.withdrawn/);
  } finally {
    program.kill('SIGKILL');
  }
});

test('an authority that runs alone gives identities without a SPIKE', async () => {
  await using scratch = await openScratch();
  const env = { ...process.env, SPIKE_HOME: scratch.path };
  const spike = (...args: readonly string[]): string[] => [
    join(repository, 'bin', 'spike.mjs'),
    'authority',
    ...args,
  ];
  const authority = spawn(process.execPath, spike('serve', '--trust-domain', 'example.org'), {
    cwd: repository,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    let log = '';
    authority.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await until('it serves', () => log.includes('authority.serving'));
    const run = async (...args: readonly string[]) =>
      await runProgram(process.execPath, spike(...args), { env });
    const program = [process.execPath, '-p', 'process.env.SPIFFE_ENDPOINT_SOCKET'];
    const { stdout } = await run('run', '/workload/alone', '--', ...program);
    assert.match(stdout, /^unix:\/\/.*api\.sock$/m);
    assert.equal(
      (await run('entry', 'create', '--spiffe-id', '/spike/nexus')).code,
      4,
      'not even here is anybody Nexus',
    );
    assert.equal((await run('entry', 'create', '--spiffe-id', '/me')).code, 0);
    assert.match((await run('entry', 'list')).stdout, /spiffe:\/\/example\.org\/me/);
    authority.kill('SIGTERM');
    await until('it has ended', () => authority.exitCode !== null);
    assert.equal(authority.exitCode, 0);
    assert.equal((await run('entry', 'list')).code, 7);
  } finally {
    authority.kill('SIGKILL');
  }
});
