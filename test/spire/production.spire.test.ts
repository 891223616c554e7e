import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { combine, Share } from '@spike/crypto';
import { parseShare } from '@spike/recovery';
import { newPassword } from '../admin.ts';
import { buildExecutables } from '../executable.ts';
import { addKeys } from '../key.ts';
import { scanMemory, Wanted } from '../memory.ts';
import { repository, until } from '../system.ts';
import { buildSpire } from './build.ts';
import { readSteps, type Step } from './guide.ts';
import { Laboratory, type Machine } from './machine.ts';

/* doc/guide/production.md and doc/runbook/lock.md, word by word, on two machines with a real systemd and a real SPIRE. */

const secret = 'correct-horse-battery-staple';
/** SPIRE's own way to the agent, and a machine that does other things. */
const turnMs = 120_000;
/** From the closed gate until the process image is another one: half a second, and what a busy machine takes. */
const goneMs = 10_000;
/** How often the memory is looked through, before and after. */
const scans = 3;

/** The ways of the runbook, and what is seen of each at once: the last two take up to the life of an SVID. */
const ways = [
  ['Delete the entry', (vault: Machine) => refusesAll(vault)],
  ['Change its selectors', (vault: Machine) => refusesAll(vault)],
  ['Stop Nexus', (vault: Machine) => refusesAll(vault)],
  ['Cut the network', (_: Machine, guard: Machine) => cannotConnect(guard)],
  ['Ban the agent', (vault: Machine) => missesAgent(vault)],
  ['Evict the agent', (vault: Machine) => missesAgent(vault)],
  ['Stop SPIRE Server', (vault: Machine, guard: Machine) => servesWithout(vault, guard)],
] as const;

test('the guide for production leads from nothing to a running system, and each way of the runbook locks it', async (t) => {
  const [dist, spire] = await Promise.all([buildExecutables(), buildSpire()]);
  await using laboratory = await Laboratory.open(['vault', 'guard'], {
    '/root/spike/dist': dist,
    '/root/spike/deploy': join(repository, 'deploy'),
    '/opt/spire/bin': join(spire.server, '..'),
  });
  const [vault, guard] = [laboratory.machine('vault'), laboratory.machine('guard')];
  await vault.must('useradd --create-home --shell /bin/sh ann');
  const password = newPassword();
  const guide = await readFile(join(repository, 'doc/guide/production.md'), 'utf8');
  for (const step of readSteps(guide)) await follow(laboratory, step, password);
  for (const [machine, units] of [
    [vault, ['spire-agent', 'spike-nexus', 'spike-keeper@1']],
    [guard, ['spire-server', 'spire-agent', 'spike-keeper@2', 'spike-keeper@3']],
  ] as const)
    for (const unit of units)
      assert.equal((await machine.must(`systemctl is-active ${unit}`)).trim(), 'active');
  assert.ok((await vault.must('spike secret get tenants/shop/db', 'ann')).includes(secret));

  const runbook = await readFile(join(repository, 'doc/runbook/lock.md'), 'utf8');
  const first = await vault.pidOf('spike-nexus');
  await t.test('what locks leaves no key and no secret in the memory of Nexus', async (u) => {
    const wanted = await everythingSecret(vault);
    for (let round = 1; round <= scans; round++) {
      await logIn(vault, password);
      await vault.must('spike secret get tenants/shop/db', 'ann');
      const before = scanMemory(first, wanted);
      assert.ok(
        before.found.has('root key') && before.found.has('data key 1') && before.found.has('secret'),
        [...before.found].join(),
      );
      await followSection(laboratory, runbook, 'Delete the entry', 'lock');
      await until('it is locked', () => refusesAll(vault), turnMs);
      const refusedAt = performance.now();
      const bytes = await until(
        'no key and no secret is left in its memory',
        () => {
          const after = scanMemory(first, wanted);
          return after.found.size === 0 && after.bytes;
        },
        goneMs,
      );
      const ms = performance.now() - refusedAt;
      u.diagnostic(
        `before: ${[...before.found].join(', ')}; none in ${bytes} bytes at most ${ms.toFixed(0)} ms after it refused`,
      );
      await followSection(laboratory, runbook, 'Delete the entry', 'unlock');
      await until('it serves again', () => serves(vault), turnMs);
    }
  });
  for (const [title, isLocked] of ways) {
    await t.test(title, async () => {
      await followSection(laboratory, runbook, title, 'lock');
      await until('it is locked', () => isLocked(vault, guard), turnMs);
      if (title === 'Delete the entry')
        await followSection(laboratory, runbook, 'How to see that it worked', 'lock');
      await followSection(laboratory, runbook, title, 'unlock');
      await until('it serves again', () => serves(vault), turnMs);
    });
  }
});

/** What a reader does with a section, up to where it says how to unlock, or from there on. */
async function followSection(
  laboratory: Laboratory,
  page: string,
  title: string,
  half: 'lock' | 'unlock',
): Promise<void> {
  const section = page.split('\n## ').find((part) => part.startsWith(`${title}\n`));
  assert(section !== undefined, title);
  const [lock = '', unlock = ''] = section.split('\n### Unlock after it\n');
  for (const step of readSteps(half === 'lock' ? lock : unlock)) await follow(laboratory, step, '');
}

/** What a reader does with a step. */
async function follow(laboratory: Laboratory, step: Step, password: string): Promise<void> {
  if (step.kind === 'copy') {
    await laboratory.copy(step.from, step.to);
    return;
  }
  for (const name of step.machines) {
    const machine = laboratory.machine(name);
    if (step.as === 'root') await machine.must(`set -eu\n${step.commands.join('\n')}`);
    else for (const line of step.commands) await typeLine(machine, line, step.as, password);
  }
}

async function typeLine(machine: Machine, line: string, as: string, password: string): Promise<void> {
  if (line.startsWith('spike init')) {
    const answers = [
      [/Choose a password for \S+: /, password],
      [/The same again: /, password],
    ] as const;
    const { code, text } = await machine.type(line, answers, as);
    assert.equal(code, 0, text);
    return;
  }
  const [, wanted = '0'] = /# exits with (\d+)/.exec(line) ?? [];
  const { code, stdout, stderr } = await machine.run(line, { as });
  assert.equal(code, Number(wanted), `${line}\n${stdout}${stderr}`);
}

async function logIn(vault: Machine, password: string): Promise<void> {
  const { code, text } = await vault.type('spike login --user ann', [[/Password of \S+: /, password]], 'ann');
  assert.equal(code, 0, text);
}

/** What must never be left: every key, by the recovery shares that ann took, and what she stored. */
async function everythingSecret(vault: Machine): Promise<Wanted> {
  const wanted = new Wanted();
  wanted.add('secret', Buffer.from(secret));
  const shares = await Promise.all(
    [1, 2].map(async (id) => {
      const file = vault.pathOf(`home/ann/.spike/recover/spike.recovery.${id}.txt`);
      const { value } = parseShare(await readFile(file, 'utf8'));
      return Share.take(id, Uint8Array.from(value));
    }),
  );
  using rootKey = combine(shares, shares.length);
  await addKeys(wanted, rootKey, vault.pathOf('var/lib/spike-nexus/nexus/data'));
  return wanted;
}

async function serves(vault: Machine): Promise<boolean> {
  const { code } = await vault.run('spike status', { as: 'ann' });
  return code === 0 || code === 1;
}

async function refusesAll(vault: Machine): Promise<boolean> {
  return (await vault.run('spike status', { as: 'ann' })).code === 7;
}

/** Everybody who has an identity goes on until it ends. */
async function servesWithout(vault: Machine, guard: Machine): Promise<boolean> {
  const { stdout } = await guard.run('systemctl is-active spire-server');
  return stdout.trim() === 'inactive' && (await serves(vault));
}

async function cannotConnect(guard: Machine): Promise<boolean> {
  return (await guard.run('timeout 3 bash -c "< /dev/tcp/vault/8553"')).code !== 0;
}

/** It serves on, and its log says until when; whoever asks anew, such as `spike`, gets no identity on this machine. */
async function missesAgent(vault: Machine): Promise<boolean> {
  // Since the section wrote down which agent it is: the section before it has stopped one, too.
  const since = `--since "$(date -r /root/agent-id '+%F %T')"`;
  const log = await vault.must(`journalctl --unit spike-nexus ${since} --output cat`);
  const health = `exec 3<>/dev/tcp/127.0.0.1/8554; printf 'GET /health/ready HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3; cat <&3`;
  const { stdout } = await vault.run(`bash -c "${health.replaceAll('"', String.raw`\"`)}"`);
  return log.includes('"identity.unreachable"') && stdout.includes('"ready":true');
}
