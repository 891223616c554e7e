import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { repository, until } from './system.ts';

/** Pids of all processes whose arguments show this text. */
async function whoShows(text: string): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '')),
  );
  return pids.filter((_, index) => lines[index]?.includes(text));
}

/** Whether the command itself runs as this process or a child of it: it hardens itself after it took its arguments back. */
async function isCommandUp(pid: number): Promise<boolean> {
  for (const name of await readdir('/proc')) {
    const status = await readFile(`/proc/${name}/status`, 'latin1').catch(() => '');
    const field = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    if ((field('Pid') === pid || field('PPid') === pid) && field('NoNewPrivs') === 1) return true;
  }
  return false;
}

/** An older Node can't become another program and waits for it. */
const older = 'data:text/javascript,process.execve=undefined';

for (const [what, flags] of [
  ['the command', []],
  ['the front that waits for it', ['--import', older]],
] as const) {
  test(`a value that was typed as an argument is gone from the arguments of ${what}`, async () => {
    const secret = `value-${randomBytes(8).toString('hex')}`;
    const front = join(repository, 'bin', 'spike.mjs');
    // The second value is awaited from standard input, so it runs until we let it.
    const args = [...flags, front, 'secret', 'put', 'a/b', `one=${secret}`, 'two=-'];
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'ignore'] });
    try {
      await until('the command is up', () => isCommandUp(child.pid ?? 0), 10_000);
      assert.deepEqual(await whoShows(secret), []);
      assert.equal(child.exitCode, null, 'it runs on');
    } finally {
      child.stdin.destroy();
      child.kill('SIGKILL');
    }
  });
}
