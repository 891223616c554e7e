import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readAudit } from './audit.ts';
import { Stage } from './fault/stage.ts';
import { until, type System } from './system.ts';

const hourMs = 3_600_000;
const yearMs = 365 * 24 * hourMs;
const path = 'clock/secret';

/** The clock of the whole machine, as an administrator or a bad time server sets it. */
for (const [name, jumpMs] of [
  ['an hour on', hourMs],
  ['an hour back', -hourMs],
  ['a year on', yearMs],
  ['a year back', -yearMs],
] as const) {
  test(`a clock that is put ${name} while it runs locks nobody out, and what is written stays in order`, async () => {
    await using stage = await Stage.open();
    if (jumpMs < 0) {
      // A trust domain that is younger than the jump would have no certificate yet; this one is older.
      stage.control.clockMs = jumpMs - hourMs;
      await using early = await stage.start();
      await early.stop();
      stage.control.clockMs = 0;
    }
    // Everything that runs on the machine sees the clock; the disk is nobody's concern here.
    await using system = await stage.start();
    const env = stage.env();
    let version = await put(system, env, 1);
    const pids = await partsOf(system);
    for (const [n, ms] of [
      [2, jumpMs],
      [3, 0],
    ] as const) {
      stage.control.clockMs = ms;
      version = await put(system, env, n);
      const { stdout } = await system.spike(['secret', 'get', path, '--field', 'n'], { env });
      assert.equal(stdout.trim(), String(n));
    }
    assert.deepEqual(await partsOf(system), pids, 'nobody had to start again');
    await system.stop();
    const puts = (await readAudit(system.home)).filter(
      (line) => line.action === 'secret.put' && line.outcome === 'ok',
    );
    // Three, unless the answer to one was lost and it was tried again.
    assert.equal(puts.length, version);
  });
}

/** Certificates of the time before are renewed as soon as the clock is seen, which takes a moment. Answers the version. */
async function put(system: System, env: Readonly<Record<string, string>>, n: number): Promise<number> {
  let last = '';
  return await until(`n is ${n}`, async () => {
    const outcome = await system.spike(['secret', 'put', path, `n=${n}`, '--format', 'json'], { env });
    last = outcome.stderr;
    return outcome.code === 0 && (JSON.parse(outcome.stdout) as { version: number }).version;
  }).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${last}\n${system.output}`);
  });
}

async function partsOf(system: System): Promise<readonly number[]> {
  const parts = await Promise.all(['authority', 'keeper', 'nexus'].map((part) => system.pidsOf(part)));
  return parts.flat();
}
