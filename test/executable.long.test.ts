import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { newPassword } from './admin.ts';
import { ExecutableSystem } from './executable-system.ts';
import { openScratch, until } from './system.ts';

/** Exit code of a command that finds no agent or no Nexus. */
const unreachable = 7;

async function openWhole(): Promise<ExecutableSystem> {
  // A process that hides itself from its own uid shows root alone which file it runs.
  assert.equal(process.getuid?.(), 0, 'only an authority that runs as root can read what the parts run');
  const system = await ExecutableSystem.open();
  try {
    await system.startKeepers();
    await system.startNexus();
    await system.bootstrap();
    await until('Nexus is ready', async () => (await system.state()) === 'ready');
    // The authority computes the digest of a file once, which on a busy machine takes longer than a command waits.
    await until('spike is known', async () => (await system.spike(['status'])).code !== unreachable);
    return system;
  } catch (error) {
    await system[Symbol.asyncDispose]();
    throw error;
  }
}

test('a system of executables, each known by its path and digest, keeps secrets', async (t) => {
  await using system = await openWhole();
  const password = newPassword();

  await t.test('init, login, put and get', async () => {
    const weak = await system.spike(['init', '--password-stdin'], { input: 'passwordpassword\n' });
    assert.equal(weak.code, 2, weak.stderr);
    assert.match(weak.stderr, /hard to guess|common passwords/, 'it is judged in a thread');
    await system.mustSpike(['init', '--password-stdin'], { input: `${password}\n` });
    await system.mustSpike(['login', '--password-stdin'], { input: `${password}\n` });
    await system.mustSpike(['secret', 'put', 'tenants/acme/db', 'pass=-'], { input: 'hunter two and three' });
    assert.equal(
      await system.mustSpike(['secret', 'get', 'tenants/acme/db', 'pass']),
      'hunter two and three\n',
    );
    const { nexus } = JSON.parse(await system.mustSpike(['status', '--verify', '-f', 'json'])) as {
      readonly nexus: { readonly verify?: { readonly ok: boolean } };
    };
    assert.equal(nexus.verify?.ok, true, 'the store is checked in a thread');
  });

  await t.test('what is no executable of ours is no part, though it is registered as one', async () => {
    const wrong = await system.start('nexus', system.path('keeper'), {
      SPIKE_KEEPER_TLS_PORT: '127.0.0.1:0',
    });
    await until('it has asked who it is', () => wrong.count('identity.waiting') === 1);
    // A Keeper with the same registration gets its answer within the same time.
    const right = await system.start('keeper', system.path('keeper'), {
      SPIKE_KEEPER_TLS_PORT: '127.0.0.1:0',
    });
    await right.serves();
    assert.equal(wrong.announced, undefined, wrong.log);
  });

  await t.test('a backup is opened with recovery shares by a process that spike starts', async () => {
    await using own = await openScratch();
    const [key, backup] = [join(own.path, 'own.key'), join(own.path, 'backup.age')];
    const recipient = (await system.mustSpike(['backup', 'key', key])).trim();
    await system.mustSpike(['backup', 'create', backup, '-r', recipient, '--without-recovery']);
    const share = join(own.path, 'share');
    await writeFile(share, `spike:1:${'01'.repeat(32)}\n`, { mode: 0o600 });
    const shares = ['--share', share, '--share', share];
    const { code, stderr } = await system.spike(['backup', 'verify', backup, '-i', key, ...shares]);
    assert.notEqual(code, 0);
    assert.doesNotMatch(stderr, /without an answer/);
    assert.match(stderr, /share/);
  });

  await t.test('the reset script runs its helper in the Nexus that printed it', async () => {
    const script = await system.mustSpike(['reset', '--force']);
    assert.ok(script.includes(`node='${system.path('nexus')}'`));
    const { code, stdout, stderr } = await system.spike(['reset', '--dry-run'], { deadlineMs: 120_000 });
    assert.equal(code, 0, stderr + stdout);
    assert.match(stdout + stderr, /Nothing was changed|dry run/i);
  });

  await t.test('the completions lie in the executable', async () => {
    const text = await readFile(new URL('../app/pilot/src/complete/spike.bash', import.meta.url), 'utf8');
    assert.equal(await system.mustSpike(['completion', 'bash']), text);
  });
});

test('a Nexus that loses its identity becomes a fresh process with the same pid, and serves when it has it again', async () => {
  await using system = await openWhole();
  const { nexus } = system;
  const password = newPassword();
  await system.mustSpike(['init', '--password-stdin'], { input: `${password}\n` });
  await system.mustSpike(['secret', 'put', 'a/b', 'c=-'], { input: 'kept' });
  const entry = (await system.admin.listEntries()).find(({ spiffeId }) => spiffeId.endsWith('/spike/nexus'));
  assert(entry !== undefined);
  const { pid } = nexus;
  assert.equal(nexus.count('identity.waiting'), 1);

  await system.admin.deleteEntry(entry.id);
  await until('it has begun anew', () => nexus.count('identity.waiting') === 2);
  assert.equal(nexus.count('identity.forgetting'), 1, nexus.log);
  assert.deepEqual([nexus.pid, nexus.running], [pid, true]);
  const refused = await system.spike(['secret', 'get', 'a/b', 'c', '--timeout', '2s']);
  assert.notEqual(refused.code, 0);

  await system.register('/spike/nexus', await system.selectorsOf('nexus'));
  await until('it serves again', async () => (await system.state()) === 'ready');
  assert.deepEqual([nexus.pid, nexus.running], [pid, true]);
  await system.mustSpike(['login', '--password-stdin'], { input: `${password}\n` });
  assert.equal(await system.mustSpike(['secret', 'get', 'a/b', 'c']), 'kept\n');
});
