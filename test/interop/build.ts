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
  /** go-spiffe: `fetch`, `jwt`, `watch`, `post`, `serve`. */
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

export interface PythonClient {
  readonly python: string;
  readonly script: string;
}

/** py-spiffe in a virtual environment of its own, made again when Python or a pinned version changes. */
export async function buildPython(): Promise<PythonClient> {
  const needs = 'Python 3.10 or later with venv has to be on the PATH for the interoperability tests';
  const version = await must('python3', ['--version'], here, needs);
  const requirements = join(here, 'python', 'requirements.txt');
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
  return { python, script: join(here, 'python', 'client.py') };
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Runs a tool to its end; when it fails, or is not there, the test fails with what to do. */
async function must(command: string, args: readonly string[], cwd: string, needs = ''): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  execFile(command, args, { cwd, timeout: buildMs }, (error, stdout, stderr) => {
    if (error === null) resolve(stdout);
    else reject(new assert.AssertionError({ message: `${needs}\n${error.message}\n${stdout}${stderr}` }));
  });
  return await promise;
}
