import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { initialize, newPassword, startGuarded, withFile } from './admin.ts';
import { until, type System } from './system.ts';

interface ShownStatus {
  readonly nexus: {
    readonly detailed: boolean;
    readonly well: boolean;
    readonly instance?: string;
    readonly administration: {
      readonly initialized?: boolean;
      readonly initializedBy?: string;
      readonly sessions?: number;
    };
  };
}

let system: System;
let password = '';
before(async () => {
  system = await startGuarded();
});
after(async () => {
  await system[Symbol.asyncDispose]();
});

const statusOf = async (env: Readonly<Record<string, string>> = {}): Promise<ShownStatus> =>
  JSON.parse(await system.mustSpike(['status', '-f', 'json'], { env })) as ShownStatus;

/** Waits for an open alert of this kind, and answers what it is about. */
async function alertOf(kind: string): Promise<string> {
  return await until(`there is an alert ${kind}`, async () => {
    const { alerts } = JSON.parse(await system.mustSpike(['alert', 'list', '-f', 'json'])) as {
      alerts: { kind: string; subject: string }[];
    };
    const found = alerts.find((alert) => alert.kind === kind);
    return found === undefined ? undefined : `${found.kind} ${found.subject}`;
  });
}

test('without a session status tells the health alone, and with one everything', async () => {
  const early = await statusOf();
  assert.deepEqual([early.nexus.detailed, early.nexus.administration.initialized], [false, false]);
  assert.match(await system.mustSpike(['status']), /^Initialised: +no: run spike init$/m);
  password = await initialize(system);
  const { nexus } = await statusOf();
  assert.deepEqual([nexus.detailed, nexus.well, nexus.administration.sessions], [true, true, 1]);
  assert.equal(nexus.administration.initializedBy, 'admin');
  const stranger = await statusOf({
    SPIKE_TOKEN: `spk_${'a'.repeat(16)}_${'b'.repeat(52)}_${'c'.repeat(8)}`,
  });
  assert.deepEqual([stranger.nexus.detailed, stranger.nexus.instance], [false, undefined]);
  await system.mustSpike(['logout']);
  const after = await statusOf();
  assert.deepEqual(
    [after.nexus.detailed, after.nexus.administration],
    [false, { mode: 'password', initialized: true }],
  );
  assert.equal((await system.spike(['status', '--verify'])).code, 8);
  assert.equal((await system.spike(['alert', 'list'])).code, 8);
  assert.equal((await system.spike(['status', '--history'])).code, 8);
  const doctor = await system.spike(['doctor']);
  assert.match(doctor.stdout, /^skipped +second layer +you have no session$/m);
  await system.mustSpike(['login', '--password-stdin'], { input: password });
  await system.mustSpike(['status', '--verify']);
  assert.match(await system.mustSpike(['doctor']), /^ok +second layer +on$/m);
});

test('a second initialisation raises initialization_attempt', async () => {
  await withFile('x', async (file) => {
    const again = await system.spike(['init', '--code-file', file, '--password-stdin'], { input: password });
    assert.equal(again.code, 9, again.stderr);
  });
  await alertOf('initialization_attempt');
});

test('an administrator who is made raises admin_created, and a password that is reset password_reset', async () => {
  await system.mustSpike(['admin', 'create', 'ann', '--role', 'auditor']);
  assert.equal(await alertOf('admin_created'), 'admin_created ann');
  await system.mustSpike(['admin', 'reset-password', 'ann']);
  assert.equal(await alertOf('password_reset'), 'password_reset ann');
});

test('wrong passwords raise login_failures, and then account_locked', async () => {
  const wrong = async (): Promise<unknown> =>
    await system.spike(['login', '--user', 'ann', '--password-stdin'], { input: newPassword() });
  await until('she is locked out', async () => {
    await wrong();
    const { stdout } = await system.spike(['alert', 'list', '-f', 'json']);
    return stdout.includes('account_locked');
  });
  assert.match(await alertOf('login_failures'), /ann/);
  assert.match(await alertOf('account_locked'), /ann/);
});

test('a token that another identity shows raises token_misuse', async () => {
  const token = (
    await system.mustSpike(['login', '--password-stdin', '--print-token'], { input: password })
  ).trim();
  const path = '/spike/pilot/role/superuser/mallory';
  const command = ['authority', 'run', path, '--', process.execPath, 'bin/spike.mjs', 'secret', 'list'];
  assert.equal((await system.spike(command, { env: { SPIKE_TOKEN: token } })).code, 8);
  await alertOf('token_misuse');
});

test('a factory reset that is asked about raises reset_attempt', async () => {
  assert.notEqual((await system.spike(['reset'])).code, 0);
  await alertOf('reset_attempt');
});

test('emergency access that is asked for raises breakglass_opened', async () => {
  const made = await system.mustSpike(['admin', 'create', 'eve', '--role', 'emergency_admin', '-f', 'json']);
  const { oneTimePassword } = JSON.parse(made) as { oneTimePassword: string };
  const login = ['login', '--user', 'eve', '--print-token', '--password-stdin'];
  const token = await withFile(newPassword(), async (file) =>
    (await system.mustSpike([...login, '--new-password-file', file], { input: oneTimePassword })).trim(),
  );
  const env = { SPIKE_TOKEN: token };
  await system.mustSpike(['breakglass', 'open', '--reason', 'the database is down'], { env });
  await alertOf('breakglass_opened');
});

test('alerts are acknowledged by name, and every change of the state is in the history', async () => {
  const { alerts } = JSON.parse(await system.mustSpike(['alert', 'list', '-f', 'json'])) as {
    alerts: { id: number }[];
  };
  const [{ id } = { id: 0 }] = alerts;
  const acknowledged = await system.mustSpike(['alert', 'ack', String(id)]);
  assert.match(acknowledged, /is acknowledged by admin, /);
  const history = JSON.parse(await system.mustSpike(['status', '--history', '-f', 'json'])) as {
    kind: string;
    detail: { by?: string; subject?: string };
  }[];
  const kinds = history.map(({ kind }) => kind);
  for (const kind of [
    'bootstrapped',
    'initialised',
    'recovery_issued',
    'administrator_created',
    'password_reset',
    'breakglass_opened',
  ])
    assert.ok(kinds.includes(kind), `${kind}: ${kinds.join()}`);
  const made = history.findLast(({ kind }) => kind === 'administrator_created');
  assert.deepEqual(made?.detail, { by: 'admin', subject: 'ann' });
});
