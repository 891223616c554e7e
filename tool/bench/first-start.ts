import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { repository, until } from '../../test/system.ts';
import type { Figure } from './figure.ts';

const startMs = 120_000;

/** L10: from a clone that nobody has touched to a secret that is stored by its first administrator, and the same again. */
export async function measureFirstStart(): Promise<readonly Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'spike-bench-'));
  try {
    const clone = join(directory, 'clone');
    const cloned = spawnSync('git', ['clone', '--quiet', '--local', repository, clone]);
    if (cloned.status !== 0) throw new Error(`git clone failed: ${cloned.stderr.toString()}`);
    const home = join(directory, 'home');
    const password = `bench ${randomBytes(12).toString('hex')} first start`;
    const first = await startAndPut(clone, home, ['init', password]);
    const again = await startAndPut(clone, home, ['login', password]);
    const figure = (what: string, ms: number, seconds: number): Figure => ({
      bench: 'L10',
      what,
      value: ms / 1000,
      unit: 's',
      goal: { kind: 'at most', value: seconds },
    });
    return [
      figure('npm start and spike init until secret put works, clean clone', first, 60),
      figure('npm start and spike login until secret put works, existing data', again, 4),
    ];
  } finally {
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function startAndPut(
  clone: string,
  home: string,
  [begin, password]: readonly ['init' | 'login', string],
): Promise<number> {
  const env = withoutOuterNpm({ ...process.env, SPIKE_HOME: home });
  const started = performance.now();
  const system = spawn('npm', ['start', '--', '--port', '0'], {
    cwd: clone,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  const timer = setTimeout(() => signalGroup(system.pid, 'SIGKILL'), startMs);
  try {
    await whenUp(system.stdout);
    const spike = (args: readonly string[], input = ''): void => {
      const options = { cwd: clone, env, input, timeout: startMs };
      const run = spawnSync(process.execPath, [join(clone, 'bin', 'spike.mjs'), ...args], options);
      if (run.status !== 0) throw new Error(`spike ${args.join(' ')} failed: ${run.stderr.toString()}`);
    };
    spike([begin, '--password-stdin'], password);
    spike(['secret', 'put', 'bench/first', 'value=v']);
    return performance.now() - started;
  } finally {
    clearTimeout(timer);
    signalGroup(system.pid, 'SIGTERM');
    // npm may be gone before the system that it started.
    await until('the whole system has stopped', () => !signalGroup(system.pid, 0));
  }
}

async function whenUp(output: NodeJS.ReadableStream): Promise<void> {
  for await (const line of createInterface({ input: output })) {
    if (line.startsWith('SPIKE is up')) {
      output.resume();
      return;
    }
  }
  throw new Error('npm start ended before the system was up');
}

/** What an outer `npm run` set would make the inner one behave differently from a person's. */
function withoutOuterNpm(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(
    ([name]) => !/^npm_(?!config_(cache|registry)$)/i.test(name) && name !== 'NODE_COMPILE_CACHE',
  );
  return Object.fromEntries(kept);
}

/** Answers whether anybody of the group was there. */
function signalGroup(pid: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (pid === undefined) return false;
  try {
    process.kill(-pid, signal);
    return true;
  } catch {
    return false;
  }
}
