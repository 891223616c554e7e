import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readAudit } from './audit.ts';
import { parse } from './emergency.ts';
import { action, call, everyClass, type Trap } from './fault/control.ts';
import { Stage } from './fault/stage.ts';
import { openScratch, System, until } from './system.ts';

const keyOf = async (system: System): Promise<string> => (await system.mustSpike(['audit', 'key'])).trim();

test('a new key is announced by the old one: who pinned that follows, offline too, and a restart changes nothing', async () => {
  await using scratch = await openScratch();
  const at = (name: string): string => join(scratch.path, name);
  const home = at('home');
  await using system = await System.start({ home });
  await system.mustSpike(['audit', 'key', '--pin']);
  const first = await keyOf(system);
  await system.mustSpike(['audit', 'checkpoint', '--out', at('early')]);
  // Somebody else, who saw the audit before.
  await mkdir(at('other/pilot'), { recursive: true, mode: 0o700 });
  const trust = join(home, 'pilot', 'audit.json');
  await writeFile(at('other/pilot/audit.json'), await readFile(trust), { mode: 0o600 });

  const told = parse<{ key: string; previous: string; announced: boolean; pinned: boolean }>(
    await system.mustSpike(['audit', 'key', 'rotate', '-f', 'json']),
  );
  assert.deepEqual([told.previous, told.announced, told.pinned], [first, true, true]);
  assert.equal((await system.mustSpike(['audit', 'key', 'rotate'])).trim(), await keyOf(system));
  const third = await keyOf(system);
  assert.equal(new Set([first, told.key, third]).size, 3);
  const kept = parse<Record<string, { key: string; earlier: { key: string; handedOverAt: number }[] }>>(
    await readFile(trust, 'utf8'),
  );
  const [log] = Object.values(kept);
  assert.deepEqual([log?.key, log?.earlier.map(({ key }) => key)], [third, [first, told.key]]);
  const [one = 0, two = 0] = log?.earlier.map(({ handedOverAt }) => handedOverAt) ?? [];
  assert.ok(one > 0 && two > one, `${one}, ${two}`);
  assert.match(await system.mustSpike(['audit', 'verify', '--download']), /The audit is whole/);
  assert.match(await system.mustSpike(['status', '--history']), /the audit got a new key/);

  await system.mustSpike(['audit', 'export', '--out', at('log')]);
  const verify = (...args: readonly string[]) => ['audit', 'verify', at('log'), ...args];
  const both = ['--checkpoint', at('early'), '--checkpoint', at('log.checkpoint')];
  const stranger = { env: { SPIKE_HOME: at('stranger') } };
  assert.match(await system.mustSpike(verify('--key', first, ...both), stranger), /The audit is whole/);
  assert.match(await system.mustSpike(verify(...both)), /The audit is whole/, 'with what is pinned here');
  const early = await system.spike(verify('--key', third, ...both), stranger);
  assert.equal(early.code, 1, 'the key of now signed nothing then');
  await writeFile(at('log.handover-1.checkpoint'), await readFile(at('early')));
  assert.equal((await system.spike(verify('--key', first, ...both), stranger)).code, 1, 'nothing leads on');
  await system.stop();

  await using again = await System.start({ home });
  assert.equal(await keyOf(again), third);
  assert.match(await again.mustSpike(['audit', 'verify', '--download']), /The audit is whole/);
  const context = await readFile(join(home, 'context.json'));
  await writeFile(at('other/context.json'), context, { mode: 0o600 });
  const other = { env: { SPIKE_HOME: at('other') } };
  assert.match(await again.mustSpike(['audit', 'verify'], other), /The audit is whole/);
  assert.ok((await readFile(at('other/pilot/audit.json'), 'utf8')).includes(`"key": "${third}"`));
  await again.stop();
  const lines = await readAudit(again.home);
  const rotated = lines.filter(({ action: name }) => name === 'audit.key.rotate');
  assert.deepEqual(
    rotated.map(({ outcome }) => outcome),
    ['ok', 'ok'],
  );
  assert.equal(lines.filter(({ action: name }) => name === 'audit.key').length, 2);
});

const traps: readonly Omit<Trap, 'at' | 'classes'>[] = [
  { calls: call.write, action: action.killBefore },
  { calls: call.rename, action: action.killBefore },
  { calls: call.rename, action: action.killAfter },
  { calls: call.sync, action: action.killAfter },
];

/** Of its calls: before the commit, about it, and behind it. */
const steps = [1, 4, 8];

test('SIGKILL in the middle leaves the old key or the new one, and whoever knew the old one follows', async () => {
  await using stage = await Stage.open();
  await using system = await stage.start();
  await system.mustSpike(['audit', 'key', '--pin']);
  let [key, changed, killed] = [await keyOf(system), 0, 0];
  for (const trap of traps) {
    for (const nth of steps) {
      const [pid] = await system.pidsOf('nexus');
      stage.control.set({ ...trap, classes: everyClass, at: nth });
      const { code } = await system.spike(['audit', 'key', 'rotate', '--timeout', '5s']);
      stage.control.clear();
      if (stage.control.fired > 0) {
        killed += 1;
        await until('another Nexus runs', async () => {
          const [now] = await system.pidsOf('nexus');
          return now !== undefined && now !== pid;
        });
      }
      await system.ready();
      const now = await keyOf(system);
      if (code === 0) assert.notEqual(now, key, 'what was answered is there');
      if (now !== key) changed += 1;
      key = now;
      assert.match(await system.mustSpike(['audit', 'verify']), /The audit is whole/);
      const trust = await readFile(join(system.home.root, 'pilot', 'audit.json'), 'utf8');
      assert.ok(trust.includes(`"key": "${key}"`), 'what is pinned has followed');
    }
  }
  assert.ok(
    killed >= traps.length && changed > 0 && changed < traps.length * steps.length,
    `${killed} killed, ${changed} changed`,
  );
  assert.match(await system.mustSpike(['audit', 'verify', '--download']), /The audit is whole/);
});
