import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ConnectOptions, Spike } from '@spike/sdk';
import { initialize, newPassword, startGuarded } from './admin.ts';
import { openWorkload } from './caller.ts';
import { parse, settle } from './emergency.ts';
import { search } from './search.ts';
import { until, type System } from './system.ts';
import { runInTerminal } from './terminal.ts';

/* SPIFFE IDs that are denied, with two layers: what a person types, and what a workload then meets. */

interface Denial {
  readonly spiffeId: string;
  readonly reason: string;
  readonly by: string;
  readonly until?: string;
}

const root = 'spiffe://spike.ist';
const below = `${root}/workload/ci/*`;
const app = `${root}/workload/app`;
const denied = { code: 'access_unauthorized' };
const secret = 'tenants/acme/db';
let first: System;
let system: System;
const password = newPassword();

before(async () => {
  first = await startGuarded();
  system = first;
  await initialize(system, password);
  await system.mustSpike(['secret', 'put', secret, 'user=app']);
  const allow = async (name: string, pattern: string, permissions: string): Promise<void> => {
    const ids = ['--spiffeid-pattern', '^spiffe://spike\\.ist/workload/.*$'];
    const rest = ['--path-pattern', pattern, '--permissions', permissions];
    await system.mustSpike(['policy', 'create', '--name', name, ...ids, ...rest]);
  };
  await allow('all', 'tenants/.*', 'read,write,list');
  await allow('cipher', '^spike/system/cipher/exec$', 'execute');
});
after(async () => {
  await system[Symbol.asyncDispose]();
  // The home is its own.
  await first[Symbol.asyncDispose]();
});

async function open(path: string, options: ConnectOptions = { retry: false }): Promise<Spike> {
  return await openWorkload(system, path, options);
}

/** The same home, and a session of its own. */
async function restart(): Promise<void> {
  system = await startGuarded({ home: first.home.root });
  await system.mustSpike(['login', '--password-stdin'], { input: password });
}

async function list(): Promise<readonly Denial[]> {
  return parse<readonly Denial[]>(await system.mustSpike(['deny', 'list', '-f', 'json']));
}

async function deny(subject: string, ...more: readonly string[]): Promise<void> {
  await system.mustSpike(['deny', subject, '--reason', 'its key leaked', ...more]);
}

async function lift(subject: string): Promise<void> {
  await system.mustSpike(['deny', 'lift', subject]);
}

test('it takes a session, of a role that may; an auditor sees denials and makes none', async () => {
  const stranger = await system.spike(['deny', app, '--reason', 'x'], { env: { SPIKE_TOKEN: 'spk_none' } });
  assert.equal(stranger.code, 8, stranger.stderr);
  const auditor = await settle(system, 'ava', 'auditor', newPassword());
  const refused = await system.spike(['deny', app, '--reason', 'x'], { env: auditor });
  assert.equal(refused.code, 4, refused.stderr);
  assert.equal((await system.spike(['deny', 'lift', app], { env: auditor })).code, 4);
  assert.match(await system.mustSpike(['deny', 'list'], { env: auditor }), /Nobody is denied/);
  const without = await system.spike(['deny', app]);
  assert.equal(without.code, 2, 'a reason is asked for');
  assert.equal((await system.spike(['deny', app, '--reason', ' '])).code, 2);
  assert.deepEqual(await list(), []);
});

test('neither SPIKE’s own nor everybody, in no spelling', async () => {
  for (const text of [
    `${root}/spike/nexus`,
    `${root}/spike/pilot/role/superuser/ann`,
    `${root}/spike/*`,
    `${root}/*`,
    root,
    '*',
    'spiffe://SPIKE.ist/spike/nexus',
    `${root}/%73pike/nexus`,
    `${root}/workload/../spike/nexus`,
    `${root}/s\u0440ike/nexus`,
    `${root}/workload/c*`,
  ]) {
    const { code, stderr } = await system.spike(['deny', text, '--reason', 'a lock']);
    assert.equal(code, 1, `${text}: ${stderr}`);
    assert.match(stderr, /no SPIFFE ID|whole trust domain|own identities/);
  }
  assert.deepEqual(await list(), []);
  await system.mustSpike(['secret', 'get', secret]);
});

test('a denied workload is refused under load from the answer to `deny` on, everything it may else, and no other is', async () => {
  await using ours = await open('/workload/ci/1');
  await using other = await open('/workload/app');
  let isOver = false;
  let isDenied = false;
  const failures: unknown[] = [];
  const served = { others: 0, late: 0 };
  const ask = async (workload: Spike, isOurs: boolean): Promise<void> => {
    while (!isOver) {
      const isLate = isDenied;
      const outcome = await workload.get(secret).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (!isOurs && outcome !== undefined) failures.push(outcome);
      if (!isOurs && outcome === undefined && isDenied) served.others++;
      if (isOurs && outcome === undefined && isLate) served.late++;
    }
  };
  const asking = Promise.all([ours, ours, ours, other, other].map((one) => ask(one, one === ours)));
  await deny(below);
  isDenied = true;
  await assert.rejects(ours.get(secret), denied);
  await assert.rejects(ours.put(secret, { user: 'evil' }), denied);
  await assert.rejects(ours.list({ prefix: 'tenants/' }), denied);
  await assert.rejects(ours.encrypt(Buffer.from('x')), denied);
  await other.encrypt(Buffer.from('x'));
  await until('others are served', () => served.others > 20);
  isOver = true;
  await asking;
  assert.deepEqual(failures, []);
  assert.equal(served.late, 0, 'what was asked for after the answer is refused');
  // An identity of that path that comes later is denied, too, and the path itself is not.
  await using late = await open('/workload/ci/later');
  await assert.rejects(late.get(secret), denied);
  await using itself = await open('/workload/ci');
  assert.equal((await itself.get(secret)).field('user').expose(), 'app');
});

test('what is denied is listed in every format, counted in status, and told of where people look', async () => {
  const [denial, ...others] = await list();
  assert.deepEqual(others, []);
  assert.deepEqual([denial?.spiffeId, denial?.by, denial?.until], [below, 'admin', undefined]);
  assert.match(
    await system.mustSpike(['deny', 'list']),
    /workload\/ci\/\*.*until it is lifted[^]*its key leaked[^]*admin/,
  );
  assert.match(
    await system.mustSpike(['deny', 'list', '-f', 'yaml']),
    /spiffeId: "?spiffe:\/\/spike\.ist\/workload\/ci\/\*/,
  );
  assert.match(await system.mustSpike(['status']), /^denials: +1$/m);
  const find = async (...args: readonly string[]) => await system.mustSpike(['audit', 'search', ...args]);
  assert.match(await find('--action', 'deny.put'), /deny\.put/);
  assert.match(await find('--spiffe-id', `${root}/workload/ci/1`, '--outcome', 'denied'), /identity_denied/);
  assert.match(await system.mustSpike(['alert', 'list']), /denial_changed/);
  assert.match(await system.mustSpike(['status', '--history']), /was denied/);
  // Whoever types is not kept waiting, so that a busy machine offers nothing.
  await until('the completion knows it', async () =>
    (await system.mustSpike(['__complete', 'deny', 'lift', ''])).includes(below),
  );
});

test('in a terminal it asks, and no is no', async () => {
  const no = await runInTerminal(
    system,
    ['deny', app, '--reason', 'x'],
    [[/cut the connections\? \(y\/N\): /, 'n']],
  );
  assert.match(no.text, /canceled/);
  assert.equal((await list()).length, 1);
  const kept = await runInTerminal(system, ['deny', 'lift', below], [[/as policies say\? \(y\/N\): /, 'n']]);
  assert.match(kept.text, /canceled/);
  const yes = await runInTerminal(
    system,
    ['deny', app, '--reason', 'x'],
    [[/cut the connections\? \(y\/N\): /, 'y']],
  );
  assert.match(yes.text, /is denied until it is lifted/);
  await lift(app);
});

test('nothing in the store tells who is denied, nor why', async () => {
  await system.stop();
  const data = join(system.home.root, 'nexus', 'data');
  assert.deepEqual(await search(data, ['workload/ci', 'its key leaked']), []);
  await restart();
});

test('it outlives a clean stop and SIGKILL, until it is lifted', async () => {
  {
    await using ours = await open('/workload/ci/1');
    await assert.rejects(ours.get(secret), denied);
    await deny(app, '--until', '366d');
  }
  await system.kill();
  await restart();
  await using ours = await open('/workload/ci/1');
  await using other = await open('/workload/app');
  await assert.rejects(ours.get(secret), denied);
  await assert.rejects(other.get(secret), denied);
  assert.equal((await list()).length, 2);
  await deny(`${root}/workload/ci/1`);
  const lifted = await system.mustSpike(['deny', 'lift', `${root}/workload/ci/1`]);
  assert.match(lifted, /denied still, by spiffe:\/\/spike\.ist\/workload\/ci\/\*/);
  await assert.rejects(ours.get(secret), denied);
  await lift(below);
  await lift(app);
  for (const workload of [ours, other])
    assert.equal((await workload.get(secret)).field('user').expose(), 'app');
  const again = await system.spike(['deny', 'lift', app]);
  assert.equal(again.code, 3, again.stderr);
});

test('a denial with an end is over by itself, which the audit says', async () => {
  await using ours = await open('/workload/app');
  const { denial } = parse<{ denial: Denial }>(
    await system.mustSpike(['deny', app, '--reason', 'for a moment', '--until', '5s', '-f', 'json']),
  );
  assert.ok(Date.parse(denial.until ?? '') <= Date.now() + 5_000);
  await until('it is served again', () => ours.get(secret).catch(() => undefined));
  assert.ok(Date.now() >= Date.parse(denial.until ?? '') - 1_000, 'not before');
  await until('the audit says so', async () =>
    (await system.mustSpike(['audit', 'search', '--action', 'deny.expired'])).includes('deny.expired'),
  );
  for (const end of ['0s', '2001-01-01T00:00:00Z', '2026-05-01', '367d', 'soon', '-1h'])
    assert.notEqual((await system.spike(['deny', app, '--reason', 'x', `--until=${end}`])).code, 0, end);
  assert.deepEqual(await list(), []);
});
