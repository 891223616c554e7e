import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openScratch, repository, runProgram, System, type Outcome } from './system.ts';

let system: System;
before(async () => {
  system = await System.start();
});
after(async () => {
  await system[Symbol.asyncDispose]();
});

const command = join(repository, 'bin', 'spike.mjs');

function assertFailure(outcome: Outcome, code: number, reason: RegExp): void {
  assert.equal(outcome.code, code, outcome.stderr + outcome.stdout);
  assert.match(outcome.stderr, reason);
  assert.equal(outcome.stdout, '');
}

/** A secret as a program reads it. */
async function read(path: string): Promise<unknown> {
  return JSON.parse(await system.mustSpike(['secret', 'get', path, '-f', 'json']));
}

test('policies are created, applied from a file, listed, shown and deleted', async () => {
  await using scratch = await openScratch();
  const flags = [
    '--path-pattern',
    'tenants/acme/.*',
    '--spiffeid-pattern',
    '^spiffe://spike\\.ist/workload/app$',
  ];
  const create = ['policy', 'create', '--name', 'acme', ...flags, '--permissions', 'read,list'];
  assert.equal(await system.mustSpike(create), 'Policy created successfully\n');
  assertFailure(await system.spike(create), 6, /there is a policy acme already/);

  const file = join(scratch.path, 'policy.yaml');
  await writeFile(
    file,
    "name: acme\nspiffeidPattern: '^spiffe://spike\\.ist/workload/app$'\npathPattern: 'tenants/.*'\npermissions: [read]\n",
  );
  assert.equal(
    await system.mustSpike(['policy', 'apply', '--file', file]),
    "Policy 'acme' applied successfully\n",
  );
  const [list, listJson, human, json, yaml] = await Promise.all([
    system.mustSpike(['policy', 'list']),
    system.mustSpike(['policy', 'list', '--path-pattern', 'tenants/.*', '-f', 'json']),
    system.mustSpike(['policy', 'get', 'acme']),
    system.mustSpike(['policy', 'get', '--name', 'acme', '-f', 'json']),
    system.mustSpike(['policy', 'get', 'acme', '-f', 'yaml']),
  ]);
  assert.equal(list, 'POLICIES\n========\n\nName: acme\n--------\n\n\n');
  assert.deepEqual(JSON.parse(listJson), [{ id: '', name: 'acme' }]);
  assert.match(human, /^Path Pattern: tenants\/\.\*$/m);
  const shown = JSON.parse(json) as Record<string, unknown>;
  assert.deepEqual(
    [shown['spiffiedPattern'], shown['permissions']],
    ['^spiffe://spike\\.ist/workload/app$', ['read']],
  );
  assert.match(yaml, /^pathpattern: tenants\/\.\*$/m);

  assert.match(
    await system.mustSpike(['policy', 'delete', 'acme'], { input: 'n\n' }),
    /\(y\/N\): Operation canceled\.\n$/,
  );
  assert.match(
    await system.mustSpike(['policy', 'delete', 'acme'], { input: 'y\n' }),
    /Policy deleted successfully\n$/,
  );
  const [gone, goneAgain, none] = await Promise.all([
    system.spike(['policy', 'get', 'acme']),
    system.spike(['policy', 'delete', 'acme', '--yes']),
    system.mustSpike(['policy', 'list', '-f', 'json']),
  ]);
  assertFailure(gone, 3, /not found/);
  assertFailure(goneAgain, 3, /there is no policy acme/);
  assert.equal(none, '[]\n');
});

test('bytes come back as they were, through files, pipes and JSON', async () => {
  await using scratch = await openScratch();
  const bytes = Buffer.concat([Uint8Array.of(0, 0xff, 0x0a, 0x0d), randomBytes(500)]);
  const file = join(scratch.path, 'cert.der');
  await writeFile(file, bytes);
  const put = await system.spike(['secret', 'put', 'long/bytes', `cert=@${file}`, 'text=é\n']);
  assert.deepEqual([put.code, put.stdout], [0, 'OK\n']);
  assert.match(put.stderr, /cert is not UTF-8 text/);
  const out = join(scratch.path, 'out');
  const raw = `'${process.execPath}' '${command}' secret get long/bytes --field cert --raw > '${out}'`;
  const shell = await runProgram('/bin/sh', ['-c', raw], { env: { SPIKE_HOME: system.home.root } });
  assert.deepEqual(shell, { code: 0, stdout: '', stderr: '' });
  assert.deepEqual(await readFile(out), bytes);
  assert.equal(await system.mustSpike(['secret', 'get', 'long/bytes', 'text', '--raw']), 'é\n');
  const json = await system.mustSpike(['secret', 'get', 'long/bytes', '-f', 'json']);
  assert.deepEqual(JSON.parse(json), { cert: { base64: bytes.toString('base64') }, text: 'é\n' });
  await system.mustSpike(['secret', 'put', 'long/copy', '--from-json', '-'], { input: json });
  assert.deepEqual(await read('long/copy'), JSON.parse(json));
  assertFailure(await system.spike(['secret', 'get', 'long/bytes', '--raw']), 2, /say which with --field/);
});

test('values come from files of lines, and a put can insist on the version that is there', async () => {
  await using scratch = await openScratch();
  const file = join(scratch.path, '.env');
  await writeFile(file, `# db\nexport USER=app\nPASS='correct # horse'\n__proto__="a\\nb"\n`);
  const put = ['secret', 'put', 'long/env', '--from-env-file', file];
  assert.deepEqual(JSON.parse(await system.mustSpike([...put, '--cas', '0', '-f', 'json'])), {
    path: 'long/env',
    version: 1,
  });
  assert.equal(
    JSON.stringify(await read('long/env')),
    '{"PASS":"correct # horse","USER":"app","__proto__":"a\\nb"}',
  );
  assertFailure(await system.spike([...put, '--cas', '0']), 6, /not as it was expected/);
  await system.mustSpike([...put, 'more=1', '--cas', '1', '--max-versions', '1']);
  assertFailure(await system.spike(['secret', 'get', 'long/env', '-v', '1']), 3, /not found/);
  assertFailure(await system.spike([...put, 'USER=x']), 2, /the key USER is given twice/);
});

test('versions go, come back and are destroyed; what is noted is shown in every format', async () => {
  const path = 'long/version';
  for (const n of ['1', '2', '3']) await system.mustSpike(['secret', 'put', path, `n=${n}`]);
  await system.mustSpike(['secret', 'delete', path, '-v', ' 2, 3 ']);
  await system.mustSpike(['secret', 'undelete', path]);
  assert.equal(await system.mustSpike(['secret', 'get', path, 'n']), '3\n');
  await system.mustSpike(['secret', 'undelete', path, '--versions', '2']);
  assertFailure(await system.spike(['secret', 'destroy', path]), 2, /--versions LIST, or --all/);
  assertFailure(await system.spike(['secret', 'destroy', path, '-v', '1']), 2, /--yes/);
  await system.mustSpike(['secret', 'destroy', path, '-v', '1', '--yes']);
  const set = ['secret', 'metadata', 'set', path];
  await system.mustSpike([...set, '--owner', 'payments', '--label', 'tier=1', '--label', 'a=b']);
  await system.mustSpike([...set, '--remove-label', 'a', '--label', 'c=d', '--description', 'the db']);
  const get = ['secret', 'metadata', 'get', path];
  const shown = JSON.parse(await system.mustSpike([...get, '-f', 'json'])) as {
    versions: Record<string, { deletedTime: string | null }>;
    metadata: Record<string, unknown>;
  };
  assert.deepEqual(Object.keys(shown.versions), ['2', '3']);
  assert.deepEqual(shown.metadata['labels'], { tier: '1', c: 'd' });
  assert.equal(shown.metadata['owner'], 'payments');
  assert.equal(shown.metadata['description'], 'the db');
  const human = await system.mustSpike(get);
  assert.match(human, /^Current Version : 3\nOldest Version {2}: 2$/m);
  assert.match(human, /^Owner {11}: payments$/m);
  assert.match(await system.mustSpike([...get, '-f', 'yaml']), /^ {4}currentversion: 3$/m);
  await system.mustSpike(['secret', 'destroy', path, '--all', '-y']);
  assertFailure(await system.spike(get), 3, /not found/);
});

test('paths are listed by level, all at once, and as a tree', async () => {
  for (const path of ['list/a', 'list/b', 'list/b/c', 'list/d/e/f']) {
    await system.mustSpike(['secret', 'put', path, 'k=v']);
  }
  const list = async (...args: readonly string[]): Promise<unknown> =>
    JSON.parse(await system.mustSpike(['secret', 'list', ...args, '-f', 'json']));
  assert.deepEqual(await list('list'), ['list/a', 'list/b', 'list/b/', 'list/d/']);
  assert.deepEqual(await list('/list/d/', '-r'), ['list/d/e/f']);
  assert.deepEqual(await list('nowhere'), []);
  assert.equal(
    await system.mustSpike(['secret', 'list', 'list', '--tree']),
    'list/\n├── a\n├── b\n├── b/\n│   └── c\n└── d/\n    └── e/\n        └── f\n',
  );
});

test('a directory of policies is planned, applied and then as it should be', async () => {
  await using scratch = await openScratch();
  const place = join(scratch.path, 'policies');
  await mkdir(place);
  const policy = (name: string, path: string): string =>
    `name: ${name}\nspiffeidPattern: '^spiffe://spike\\.ist/${name}$'\npathPattern: '^${path}/.*$'\npermissions: [read, list]\n`;
  await writeFile(join(place, 'a.yaml'), `${policy('one', 'a')}---\n${policy('two', 'b')}`);
  await writeFile(join(place, 'b.yml'), policy('three', 'c'));
  const plan = async (): Promise<readonly { name: string; change: string; fields: object }[]> =>
    JSON.parse(await system.mustSpike(['policy', 'apply', place, '--dry-run', '-f', 'json'])) as never;
  assert.deepEqual(
    (await plan()).map(({ name, change }) => [name, change]),
    [
      ['one', 'create'],
      ['two', 'create'],
      ['three', 'create'],
    ],
  );
  assert.equal(await system.mustSpike(['policy', 'list', '-f', 'json']), '[]\n', 'nothing was written');
  assert.equal(
    await system.mustSpike(['policy', 'apply', place]),
    "Policy 'one' applied successfully\nPolicy 'two' applied successfully\nPolicy 'three' applied successfully\n",
  );
  await writeFile(join(place, 'b.yml'), policy('three', 'd'));
  const [one, , three] = await plan();
  assert.deepEqual([one?.change, one?.fields], ['unchanged', {}]);
  assert.deepEqual(
    [three?.change, three?.fields],
    ['update', { pathPattern: { from: '^c/.*$', to: '^d/.*$' } }],
  );
  assert.match(
    await system.mustSpike(['policy', 'apply', '--file', place, '--dry-run']),
    /update three\n {2}- pathPattern: \^c\/\.\*\$\n {2}\+ pathPattern: \^d\/\.\*\$\n0 to create, 1 to update, 2 unchanged; nothing was written/,
  );
  assertFailure(await system.spike(['policy', 'delete', 'one']), 2, /--yes/);
  await system.mustSpike(['policy', 'delete', 'one', '--yes']);
});

test('an error has the form that was asked for, and a trace holds no value', async () => {
  const absent = await system.spike(['secret', 'get', 'not/there', '-f', 'json']);
  assert.deepEqual([absent.code, absent.stdout], [3, '']);
  const { error } = JSON.parse(absent.stderr) as { error: Record<string, unknown> };
  assert.deepEqual([error['code'], error['exit'], typeof error['trail']], ['api_not_found', 3, 'string']);
  const wrong = await system.spike(['--format=json', 'secret', 'frob']);
  assert.equal((JSON.parse(wrong.stderr) as { error: { code: string } }).error.code, 'data_invalid_input');
  const traced = await system.spike(['secret', 'put', 'long/trace', 'pass=-', '--trace'], {
    input: 'hunter2',
  });
  assert.equal(traced.code, 0);
  assert.match(traced.stderr, /POST \/v1\/store\/secrets path="long\/trace" of spiffe:.*\/spike\/nexus: 200/);
  assert.doesNotMatch(traced.stderr, /hunter2/);
  const late = await system.spike(['status', '--timeout', '1ms']);
  assertFailure(late, 7, /1ms|in time|no SPIFFE agent/);
  await using scratch = await openScratch();
  const nowhere = { SPIKE_HOME: scratch.path };
  for (const args of [['context'], ['authority', 'entry', 'list']]) {
    const outcome = await system.spike(args, { env: nowhere });
    assertFailure(outcome, 7, /^Error: /);
    assert.doesNotMatch(outcome.stderr, /Nexus/);
  }
});

test('bash completes commands, flags, paths, policies and files', async () => {
  await using scratch = await openScratch();
  await system.mustSpike(['secret', 'put', 'tab/a(b)/x', 'k=v']);
  await system.mustSpike(['secret', 'put', 'tab/acme', 'k=v']);
  const policy = ['--path-pattern', '^x$', '--spiffeid-pattern', '^spiffe://x/y$', '--permissions', 'read'];
  await system.mustSpike(['policy', 'apply', '--name', 'my policy', ...policy]);
  await writeFile(join(scratch.path, 'file.pem'), '');
  await mkdir(join(scratch.path, 'folder'));
  const complete = async (line: string, words: readonly string[], env = {}): Promise<readonly string[]> => {
    const script =
      'spike() { "$NODE" "$COMMAND" "$@"; }; source <(spike completion bash); COMP_LINE=$1; COMP_POINT=${#1}; shift;' +
      'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _spike; printf "%s\\n" "${COMPREPLY[@]}"';
    const { code, stdout, stderr } = await runProgram('bash', ['-c', script, 'bash', line, ...words], {
      cwd: scratch.path,
      env: { SPIKE_HOME: system.home.root, NODE: process.execPath, COMMAND: command, ...env },
    });
    assert.equal(code, 0, stderr);
    return stdout.split('\n').filter((text) => text !== '');
  };
  const words = async (line: string): Promise<readonly string[]> => await complete(line, line.split(' '));
  assert.deepEqual(await words('spike secret und'), ['undelete']);
  assert.deepEqual(await words('spike secret get --form'), ['--format']);
  assert.deepEqual(await words('spike secret get tab/'), ['tab/a\\(b\\)/', 'tab/acme']);
  assert.deepEqual(await words('spike policy get m'), ['my\\ policy']);
  assert.deepEqual(await words('spike secret put a/b --from-json f'), ['file.pem', 'folder/']);
  // Bash cuts these words itself, and wants what stands behind the cut.
  const cut = ['spike', 'secret', 'list', '--format', '=', 'j'];
  assert.deepEqual(await complete('spike secret list --format=j', cut), ['json']);
  const file = ['spike', 'secret', 'put', 'a/b', 'key', '=@', 'fi'];
  assert.deepEqual(await complete('spike secret put a/b key=@fi', file), ['file.pem']);
  const nobody = { SPIKE_HOME: join(scratch.path, 'nowhere') };
  const path = ['spike', 'secret', 'get', 'tab/'];
  assert.deepEqual(await complete('spike secret get tab/', path, nobody), [], 'silent without a system');
  assert.deepEqual(await complete('spike secret und', ['spike', 'secret', 'und'], nobody), ['undelete']);
});

test('versions are read by number, deleted softly and listed; what is gone is not found', async () => {
  const path = 'tenants/acme/versions';
  await system.mustSpike(['secret', 'put', path, 'n=1']);
  await system.mustSpike(['secret', 'put', path, 'n=2']);
  assert.equal(await system.mustSpike(['secret', 'get', path, 'n', '-v', '1']), '1\n');
  assert.equal(await system.mustSpike(['secret', 'get', path, 'n']), '2\n');
  assert.equal(await system.mustSpike(['secret', 'delete', path]), 'OK\n');
  assertFailure(await system.spike(['secret', 'get', path, '-v', '2']), 3, /not found/);
  assert.equal(await system.mustSpike(['secret', 'get', path, 'n']), '1\n', 'the newest that is not deleted');
  await system.mustSpike(['secret', 'delete', path, '--versions', '1,2']);
  assertFailure(await system.spike(['secret', 'get', path]), 3, /not found/);
  await system.mustSpike(['secret', 'put', path, 'n=3']);
  assert.equal(await system.mustSpike(['secret', 'get', path, 'n', '-v', '3']), '3\n');
  const [human, json] = await Promise.all([
    system.mustSpike(['secret', 'list', '--recursive']),
    system.mustSpike(['secret', 'list', '--recursive', '-f', 'json']),
  ]);
  assert.match(human, /^- tenants\/acme\/versions$/m);
  assert.ok((JSON.parse(json) as string[]).includes(path));
  assertFailure(await system.spike(['secret', 'get', path, 'absent', '-v', '3']), 3, /no value of that key/);
});

test('identities of the parts are not to be had from the command', async () => {
  for (const path of ['/spike/nexus', '/spike/keeper', '/spike/bootstrap/x']) {
    const outcome = await system.spike(['authority', 'entry', 'create', '--spiffe-id', path]);
    assert.equal(outcome.code, 4, outcome.stderr);
  }
});
