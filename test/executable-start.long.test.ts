import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { packagedNode } from '../tool/build/executable.ts';
import { executableOf } from './executable.ts';
import { openScratch, repository, runProgram, until } from './system.ts';

const node = packagedNode();
const version = '0.1.0\n';

/** Runs `file --version`, and the Node inside of it with nothing but that, under the same environment. */
async function compare(env: Readonly<Record<string, string>>, wrote: string): Promise<readonly boolean[]> {
  const program = "require('node:crypto').randomBytes(1); require('node:tls').createSecureContext();";
  const plain = await runProgram(node, ['-e', program], { env });
  assert.equal(plain.code, 0, plain.stderr);
  const byNode = existsSync(wrote);
  if (byNode) await runProgram('rm', ['-rf', wrote]);
  const ours = await runProgram(await executableOf('spike'), ['--version'], { env });
  assert.deepEqual([ours.code, ours.stdout], [0, version], ours.stderr);
  return [byNode, existsSync(wrote)];
}

test('a program that NODE_OPTIONS names runs in Node and not in an executable', async () => {
  await using scratch = await openScratch();
  const [evil, wrote] = [join(scratch.path, 'evil.cjs'), join(scratch.path, 'wrote')];
  await writeFile(evil, `require('node:fs').writeFileSync(${JSON.stringify(wrote)}, '');`);
  assert.deepEqual(await compare({ NODE_OPTIONS: `--require ${evil}` }, wrote), [true, false]);
});

test('a library that OPENSSL_CONF names is loaded by Node and not by an executable', async () => {
  await using scratch = await openScratch();
  const file = (name: string): string => join(scratch.path, name);
  await writeFile(
    file('evil.c'),
    `#include <fcntl.h>
#include <unistd.h>
__attribute__((constructor)) static void run(void) { close(open("${file('wrote')}", O_CREAT | O_WRONLY, 0600)); }
int OSSL_provider_init(void *handle, void *in, void **out, void **context) { return 0; }
`,
  );
  const compiled = await runProgram('cc', ['-shared', '-fPIC', '-o', file('evil.so'), file('evil.c')]);
  assert.equal(compiled.code, 0, compiled.stderr);
  await writeFile(
    file('openssl.cnf'),
    `nodejs_conf = init
[init]
providers = all
[all]
default = one
evil = two
[one]
activate = 1
[two]
module = ${file('evil.so')}
activate = 1
`,
  );
  assert.deepEqual(await compare({ OPENSSL_CONF: file('openssl.cnf') }, file('wrote')), [true, false]);
});

test('nothing is listened for, reported or recorded because a variable or an argument says so', async () => {
  await using scratch = await openScratch();
  const coverage = join(scratch.path, 'coverage');
  assert.deepEqual(await compare({ NODE_V8_COVERAGE: coverage }, coverage), [true, false]);
  const spike = await executableOf('spike');
  const run = async (args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    await runProgram(spike, args, { env });
  // Node says where its inspector listens, and with NODE_DEBUG what it does.
  for (const env of [{ NODE_OPTIONS: '--inspect=127.0.0.1:0' }, { NODE_DEBUG: 'net,tls,http,module' }]) {
    const plain = await runProgram(node, ['-e', "require('node:net').createServer().listen(0).close()"], {
      env,
    });
    assert.notEqual(plain.stderr, '');
    const { stdout, stderr } = await run(['--version'], env);
    assert.deepEqual([stdout, stderr], [version, '']);
  }
  const keyLog = join(scratch.path, 'keys');
  for (const option of [
    '--inspect=127.0.0.1:0',
    `--require=${keyLog}`,
    `--tls-keylog=${keyLog}`,
    '-e',
    '-p',
  ]) {
    const { code, stderr } = await run([option, '1']);
    assert.notEqual(code, 0, option);
    assert.match(stderr, /unknown option|unknown command/);
  }
});

/** The environment that the kernel gave to the image which runs now. */
async function environmentOf(pid: number): Promise<readonly string[]> {
  const text = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
  return text.split('\0').map((line) => line.split('=', 1)[0] ?? '');
}

test('a part drops what is foreign and keeps its own, under the pid that it was started with', async () => {
  await using scratch = await openScratch();
  const keeper = spawn(await executableOf('keeper'), [], {
    env: {
      SPIKE_HOME: scratch.path,
      SPIFFE_ENDPOINT_SOCKET: `unix://${join(scratch.path, 'none')}`,
      SPIKE_TRUST_ROOT: 'example.org',
      NODE_ENV: 'production',
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
      NODE_DEBUG: 'tls',
      SSLKEYLOGFILE: join(scratch.path, 'keys'),
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    let log = '';
    keeper.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await until('it runs', () => log.includes('identity.waiting'));
    assert.ok(keeper.pid !== undefined);
    const names = await environmentOf(keeper.pid);
    assert.deepEqual(names.filter((name) => name !== '').toSorted(), [
      'NODE_ENV',
      'SPIFFE_ENDPOINT_SOCKET',
      'SPIKE_HOME',
      'SPIKE_TRUST_ROOT',
    ]);
  } finally {
    keeper.kill('SIGKILL');
  }
});

test('a value that was typed as an argument is gone from the arguments of an executable', async () => {
  const secret = `value-${Math.random().toString(36).slice(2)}-typed`;
  const args = ['secret', 'put', 'a/b', `one=${secret}`, 'two=-'];
  // Foreign, so that it starts twice.
  const env = { ...process.env, NODE_DEBUG: 'none' };
  const child = spawn(await executableOf('spike'), args, { env, stdio: ['pipe', 'ignore', 'ignore'] });
  try {
    const shown = async (): Promise<string> => await readFile(`/proc/${child.pid}/cmdline`, 'latin1');
    // Between its two starts it has none at all.
    const isTakenBack = (text: string): boolean => text.startsWith('spike') && !text.includes(secret);
    await until('it took its arguments back', async () => isTakenBack(await shown()), 30_000);
    assert.equal(child.exitCode, null, 'it runs on');
  } finally {
    child.stdin.destroy();
    child.kill('SIGKILL');
  }
});

test('two builds of the same sources, in two places, are the same to the byte', async () => {
  await using scratch = await openScratch();
  const copy = join(scratch.path, 'elsewhere', 'deeper');
  await mkdir(copy, { recursive: true });
  const files = [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'bin',
    'tool',
    'package',
    'app',
    'example',
  ];
  const { code, stderr } = await runProgram('cp', [
    '-r',
    ...files.map((name) => join(repository, name)),
    copy,
  ]);
  assert.equal(code, 0, stderr);
  const target = join(scratch.path, 'target');
  // It has no packages yet and installs what the lockfile names.
  const build = [join(copy, 'bin', 'setup.mjs'), 'build', target, '--only', 'keeper'];
  const again = await runProgram(process.execPath, build, { cwd: copy, deadlineMs: 300_000 });
  assert.equal(again.code, 0, again.stderr);
  const sum = async (path: string): Promise<string | undefined> =>
    /^[0-9a-f]{64}(?= {2}keeper$)/m.exec(await readFile(path, 'utf8'))?.[0];
  const first = await sum(join(await executableOf('keeper'), '..', 'SHA256SUMS'));
  assert.ok(first !== undefined);
  assert.equal(await sum(join(target, 'SHA256SUMS')), first);
});
