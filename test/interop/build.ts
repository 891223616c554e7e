import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repository } from '../system.ts';

/** What a first build on an empty machine may take; afterwards it is a second. */
const buildMs = 480_000;

const here = join(repository, 'test', 'interop');
const cache = join(repository, 'node_modules', '.cache', 'interop');

/** The counterparts that nobody here wrote: a missing tool fails the test, because skipping would look like passing. */
export interface GoPrograms {
  /** go-spiffe: `fetch`, `jwt`, `mint`, `verify`, `watch`, `post`, `serve`, `fetch-bundle`, `serve-bundle`. */
  readonly spiffe: string;
  /** The Go SDK of SPIKE: calls as lines on standard input. */
  readonly spike: string;
}

export async function buildGo(): Promise<GoPrograms> {
  await must(
    'go',
    ['version'],
    here,
    'Go 1.26 or later has to be on the PATH for the interoperability tests',
  );
  await mkdir(cache, { recursive: true });
  const [spiffe, spike] = [join(cache, 'interop-spiffe'), join(cache, 'interop-spike')];
  // Go's own cache decides what there is to do.
  await must('go', ['build', '-mod=readonly', '-o', spiffe, '.'], join(here, 'go'));
  await must('go', ['build', '-mod=readonly', '-o', spike, '.'], join(here, 'go-spike'));
  return { spiffe, spike };
}

/** Go's regexp, and the folder of the cases that it is tested with. */
export async function buildGoRegexp(): Promise<{ readonly program: string; readonly cases: string }> {
  await mkdir(cache, { recursive: true });
  const program = join(cache, 'interop-regexp');
  const needs = 'Go 1.26 or later has to be on the PATH for the interoperability tests';
  await must('go', ['build', '-mod=readonly', '-o', program, '.'], join(here, 'go-regexp'), needs);
  const root = await must('go', ['env', 'GOROOT'], join(here, 'go-regexp'));
  return { program, cases: join(root.trim(), 'src', 'regexp', 'testdata') };
}

/** filippo.io/age, which the age tool is made of. */
export async function buildGoAge(): Promise<string> {
  await mkdir(cache, { recursive: true });
  const program = join(cache, 'interop-age');
  const needs = 'Go 1.26 or later has to be on the PATH for the interoperability tests';
  await must('go', ['build', '-mod=readonly', '-o', program, '.'], join(here, 'go-age'), needs);
  return program;
}

/** The verifiers of Go's checksum database: signed notes and transparency logs. */
export async function buildGoTlog(): Promise<string> {
  await mkdir(cache, { recursive: true });
  const program = join(cache, 'interop-tlog');
  const needs = 'Go 1.26 or later has to be on the PATH for the interoperability tests';
  await must('go', ['build', '-mod=readonly', '-o', program, '.'], join(here, 'go-tlog'), needs);
  return program;
}

export interface PythonClient {
  readonly python: string;
  readonly script: string;
}

/** py-spiffe. */
export async function buildPython(): Promise<PythonClient> {
  const folder = join(here, 'python');
  return { python: await buildVenv(folder), script: join(folder, 'client.py') };
}

export interface Schemathesis {
  readonly python: string;
  /** What Python runs, before the arguments of the program. */
  readonly start: readonly string[];
  /** Where the module `hooks` lies. */
  readonly hooks: string;
}

export async function buildSchemathesis(): Promise<Schemathesis> {
  const hooks = join(here, 'schemathesis');
  const start = ['-c', 'from schemathesis.cli import schemathesis; schemathesis()'];
  return { python: await buildVenv(hooks), start, hooks };
}

/**
 * Python in a virtual environment with the packages that a folder's requirements.txt pins, made again when Python or
 * one of them changes.
 */
async function buildVenv(folder: string): Promise<string> {
  const needs = 'Python 3.10 or later with venv has to be on the PATH for the tests with Python programs';
  const version = await must('python3', ['--version'], here, needs);
  const requirements = join(folder, 'requirements.txt');
  const hash = createHash('sha256')
    .update(version)
    .update(await readFile(requirements))
    .digest('hex');
  const home = join(cache, `python-${hash.slice(0, 16)}`);
  const python = join(home, 'bin', 'python');
  const stamp = join(home, 'complete');
  if (!(await exists(stamp))) {
    const fresh = `${home}.${process.pid}`;
    await must('python3', ['-m', 'venv', fresh], here, needs);
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps'];
    await must(join(fresh, 'bin', 'python'), [...install, '-r', requirements], here);
    await writeFile(join(fresh, 'complete'), '');
    await rm(home, { recursive: true, force: true });
    await rename(fresh, home);
  }
  return python;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

interface MustOptions {
  readonly deadlineMs?: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a tool to its end; when it fails, or is not there, the test fails with what to do. */
export async function must(
  command: string,
  args: readonly string[],
  cwd: string,
  needs = '',
  { deadlineMs = buildMs, env = {} }: MustOptions = {},
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = { cwd, timeout: deadlineMs, env: { ...process.env, ...env } };
  execFile(command, args, options, (error, stdout, stderr) => {
    if (error === null) resolve(stdout);
    else reject(new assert.AssertionError({ message: `${needs}\n${error.message}\n${stdout}${stderr}` }));
  });
  return await promise;
}
