import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import manifest from '../package.json' with { type: 'json' };
import { openScratch, repository, runProgram, System, type Outcome } from './system.ts';

let system: System;
before(async () => {
  system = await System.start();
});
after(async () => {
  await system[Symbol.asyncDispose]();
});

const command = join(repository, 'bin', 'spike.mjs');

/** It fails with this code, says why on standard error alone, and shows no stack. */
function assertFailure(outcome: Outcome, code: number, reason: RegExp): void {
  assert.equal(outcome.code, code, outcome.stderr + outcome.stdout);
  assert.match(outcome.stderr, reason);
  assert.doesNotMatch(outcome.stderr, /^\s+at .*:\d+/m);
  assert.equal(outcome.stdout, '');
}

test('a secret is put from arguments, standard input and files, and read in every format', async () => {
  await using scratch = await openScratch();
  const file = join(scratch.path, 'key.pem');
  await writeFile(file, 'line one\nline two\n');
  const put = await system.spike(
    ['secret', 'put', 'tenants/acme/db', 'user=app', 'pass=-', `key=@${file}`, 'dsn=a=b'],
    { input: 'correct horse\n' },
  );
  assert.deepEqual(put, { code: 0, stdout: 'OK\n', stderr: '' });

  const values = { user: 'app', pass: 'correct horse', key: 'line one\nline two\n', dsn: 'a=b' };
  const get = ['secret', 'get', 'tenants/acme/db'];
  const [json, oneJson, human, one, yaml] = await Promise.all([
    system.mustSpike([...get, '-f', 'json']),
    system.mustSpike([...get, 'pass', '--format', 'j']),
    system.mustSpike(get),
    system.mustSpike([...get, 'pass']),
    system.mustSpike([...get, 'user', '-f', 'yaml']),
  ]);
  assert.deepEqual(JSON.parse(json), values);
  assert.match(json, /^\{\n {4}"/, 'four spaces, as the Go command writes it');
  assert.equal(oneJson, '"correct horse"\n');
  assert.match(human, /^user: app$/m);
  assert.match(human, /^pass: correct horse$/m);
  assert.equal(one, 'correct horse\n');
  assert.equal(yaml, 'app\n\n');
});

test('a reader that takes its time gets all of what is printed', async () => {
  const values = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`k${i}`, 'x'.repeat(65_000)]));
  const input = JSON.stringify(values);
  await system.mustSpike(['secret', 'put', 'slow/reader', '--from-json', '-'], { input });
  const child = spawn(process.execPath, [command, 'secret', 'get', 'slow/reader', '-f', 'json'], {
    cwd: repository,
    env: { ...process.env, SPIKE_HOME: system.home.root },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  await once(child.stdout, 'readable');
  // Busy with something else for so long that the command has nothing left to do but to be read.
  await system.mustSpike(['status']);
  assert.deepEqual(JSON.parse(await text(child.stdout)), values);
  assert.deepEqual(await exited, [0, null]);
});

test('an answer that finds no room on the disk is a failure that is told', async () => {
  await using full = await open('/dev/full', 'w');
  const child = spawn(process.execPath, [command, 'context'], {
    cwd: repository,
    env: { ...process.env, SPIKE_HOME: system.home.root },
    stdio: ['ignore', full.fd, 'pipe'],
  });
  const exited = once(child, 'exit');
  assert.ok(child.stderr !== null);
  assert.equal(await text(child.stderr), 'Error: standard output cannot be written: ENOSPC\n');
  assert.deepEqual(await exited, [1, null]);
});

test('what is written wrongly is refused as usage, before anything is sent', async () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['secret', 'put', 'a/b', 'only-a-value'], /value 1 is not of the form/],
    [['secret', 'put', 'a/b'], /missing required argument/],
    [['secret', 'put', 'a/../b', 'k=v'], /path/],
    [['secret', 'get', 'a/b', '-f', 'xml'], /--format is one of/],
    [['secret', 'get', 'a/b', '-v', 'one'], /whole number/],
    [['secret', 'frobnicate'], /unknown command/],
    [['policy', 'create', '--name', 'x'], /missing: --path-pattern, --spiffeid-pattern, --permissions/],
    [['nonsense'], /unknown command/],
  ];
  await Promise.all(wrong.map(async ([args, reason]) => assertFailure(await system.spike(args), 2, reason)));
  const { stderr } = await system.spike(['secret', 'put', 'a/b', 'hunter2']);
  assert.doesNotMatch(stderr, /hunter2/, 'it may be a secret that lost its key');
});

test('a pattern that does not compile, or one that reaches into what is reserved, is refused', async () => {
  const apply = (path: string, permissions: string) =>
    system.spike(
      ['policy', 'apply', '--name', 'bad', '--path-pattern', path].concat([
        '--spiffeid-pattern',
        '.*',
        '--permissions',
        permissions,
      ]),
    );
  const [broken, unknown] = await Promise.all([apply('a(', 'read'), apply('a/.*', 'rule')]);
  assertFailure(broken, 1, /pattern/i);
  assertFailure(unknown, 2, /permissions are a list of/);
});

test('status tells the state, who one is, and what to know; --verify checks the store', async () => {
  const [human, json] = await Promise.all([
    system.mustSpike(['status']),
    system.mustSpike(['status', '--verify', '-f', 'json']),
  ]);
  assert.match(human, /^You: +spiffe:\/\/spike\.ist\/spike\/pilot\/role\/superuser$/m);
  assert.match(human, /^Keepers: +3 of 3 reachable, 3 with their share, 2 required$/m);
  assert.match(human, /reads every secret/);
  assert.match(human, /not protected from each other/);
  const shown = JSON.parse(json) as { nexus: { state: string; verify: { ok: boolean; checked: number } } };
  assert.equal(shown.nexus.state, 'ready');
  assert.equal(shown.nexus.verify.ok, true);
  assert(shown.nexus.verify.checked > 0);
});

test('the context is printed, and as exports that a shell takes', async () => {
  const { nexusUrl, endpointSocket } = await system.context();
  const shell = await system.mustSpike(['context', '--shell']);
  const printed = await runProgram('/bin/sh', [
    '-c',
    'eval "$1"; printf "%s %s" "$SPIKE_NEXUS_API_URL" "$SPIFFE_ENDPOINT_SOCKET"',
    'sh',
    shell,
  ]);
  assert.equal(printed.stdout, `${nexusUrl} ${endpointSocket}`);
  const json = JSON.parse(await system.mustSpike(['context', '-f', 'json'])) as { nexusUrl: string };
  assert.equal(json.nexusUrl, nexusUrl);
});

test('--help and --version need neither an agent nor a home', async () => {
  await using scratch = await openScratch();
  const env = {
    SPIKE_HOME: join(scratch.path, 'nowhere'),
    SPIFFE_ENDPOINT_SOCKET: 'unix:///nowhere/agent.sock',
  };
  const run = (args: readonly string[]) => runProgram(process.execPath, [command, ...args], { env });
  const [version, ...helps] = await Promise.all([
    run(['--version']),
    run(['--help']),
    run(['secret', 'put', '--help']),
    run(['policy', '--help']),
    run(['dev', '--help']),
  ]);
  assert.deepEqual(version, { code: 0, stdout: `${manifest.version}\n`, stderr: '' });
  for (const help of helps) {
    assert.equal(help.code, 0, help.stderr);
    assert.match(help.stdout, /^Usage:/);
    assert.equal(help.stderr, '');
  }
});
