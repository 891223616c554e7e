import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { StaticSource, TestDomain } from '@spike/spiffe/testing';
import { openMemoryStore } from '@spike/store';
import type { CustodyState } from './recovery/custody.ts';
import type { Shortage } from './recovery/keeper-set.ts';
import { StatusReport } from './status.ts';

const signal = AbortSignal.timeout(120_000);
const tooFew: Shortage = { holding: 1, required: 2, message: 'too few Keepers' };

/** A Nexus in the state that a test says, as far as the status asks. */
function open(state: CustodyState = 'ready', adminAuth: 'password' | 'svid' = 'password') {
  const domain = new TestDomain('spike.ist');
  const source = new StaticSource(domain.issue('/spike/nexus'), domain.bundles);
  const audit = { size: 5, synced: { size: 5 }, problem: undefined as string | undefined };
  const shortage: { now?: Shortage } = {};
  let asked = 0;
  const keepers = {
    health: [{ id: 1, url: 'https://keeper', reachable: true, holdsShare: true }],
    get shortage() {
      return shortage.now;
    },
  };
  const verified = { ok: true, checked: 7, problems: [] as string[] };
  const custody = {
    state,
    message: 'the root key is not here',
    instanceId: 'instance-1',
    head: undefined,
    opened: {
      warnings: [] as string[],
      verify: async () => verified,
      policies: { engine: { size: 2 } },
      denials: { count: 3 },
      checkpointer: { problem: undefined },
      backups: { restoring: undefined },
    },
    askKeepers: async () => void (asked += 1),
  };
  const options = {
    custody,
    keepers,
    source,
    store: openMemoryStore(),
    audit,
    threshold: 2,
    version: '1',
    adminAuth,
  };
  const status = new StatusReport(options);
  const describe = (detailed: boolean, verify = false) => status.describe({ verify, detailed }, signal);
  return { status, describe, source, audit, shortage, custody, verified, asked: () => asked };
}

test('without a session nothing but the health is told, whatever else is known', async () => {
  const { status, describe, audit } = open();
  status.plug({
    administration: () => ({ mode: 'password', initialized: true, initializedBy: 'alice', sessions: 2 }),
    done: () => ({ backupVerifiedAt: 1 }),
    alerts: () => ({ info: 0, warning: 1, critical: 0 }),
    problems: () => ['the sink webhook is at https://internal'],
  });
  audit.problem = 'the disk /data is full';
  const plain = await describe(false, true);
  assert.deepEqual(plain.administration, { mode: 'password', initialized: true });
  assert.deepEqual([plain.well, plain.detailed], [false, false]);
  assert.deepEqual(plain.problems, ['something is wrong; log in to see what']);
  assert.doesNotMatch(JSON.stringify(plain), /alice|internal|keeper"|instance-1|spike\/nexus|\/data/);
  assert.deepEqual(
    [plain.verify, plain.alerts, plain.done, plain.identity],
    [undefined, undefined, undefined, undefined],
  );
});

test('with a session all of it is told, and what is to be known is no problem', async () => {
  const { status, describe } = open();
  const at = Date.UTC(2026, 0, 1);
  status.plug({
    administration: () => ({
      mode: 'password',
      initialized: true,
      initializedAt: at,
      initializedBy: 'alice',
      sessions: 2,
      nextExpiry: at,
      weaklyBound: ['bob'],
    }),
    done: () => ({ backupVerifiedAt: at }),
    alerts: () => ({ info: 0, warning: 1, critical: 2 }),
  });
  status.plug({ warnings: () => ['one more'] });
  const { well, problems, warnings, administration, done, alerts, instance, sizes } = await describe(true);
  assert.deepEqual([well, problems], [true, []]);
  assert.deepEqual(administration, {
    mode: 'password',
    initialized: true,
    initializedAt: '2026-01-01T00:00:00.000Z',
    initializedBy: 'alice',
    sessions: 2,
    nextExpiry: '2026-01-01T00:00:00.000Z',
    weaklyBound: ['bob'],
  });
  assert.deepEqual(done, { backupVerifiedAt: '2026-01-01T00:00:00.000Z' });
  assert.deepEqual(alerts, { info: 0, warning: 1, critical: 2 });
  assert.deepEqual(
    [instance, sizes['auditLines'], sizes['policies'], sizes['denials']],
    ['instance-1', 5, 2, 3],
  );
  assert.equal(warnings.length, 6, warnings.join('\n'));
  assert.match(warnings.join('\n'), /^bob: bound to an ID[^]*3 open alerts[^]*no backup[^]*one more$/);
});

test('each part tells when its duty was done; one that cannot keeps nobody from the rest', async () => {
  const { status, describe } = open();
  const at = Date.now() - 91 * 86_400_000;
  status.plug({ done: async () => ({ backupVerifiedAt: at }) });
  status.plug({ done: async () => ({ resetTestedAt: undefined }) });
  status.plug({ done: () => Promise.reject(new SpikeError('fs_unsafe', 'that is no journal')) });
  const { done, warnings, well } = await describe(true);
  assert.deepEqual(done, { backupVerifiedAt: new Date(at).toISOString() });
  assert.deepEqual(warnings, [
    'no backup was verified for 91 days; run `spike backup verify`',
    'when something was done last cannot be told: that is no journal',
  ]);
  assert.equal(well, true);
});

test('one layer alone is a warning', async () => {
  assert.match((await open('ready', 'svid').describe(true)).warnings.join(), /SPIKE_NEXUS_ADMIN_AUTH=svid/);
  assert.deepEqual((await open().describe(true)).warnings, []);
});

test('everything that is wrong makes it not well', async () => {
  const locked = await open('locked').describe(true);
  assert.deepEqual(
    [locked.well, locked.rootKey, locked.problems],
    [false, false, ['the root key is not here']],
  );
  const problems: readonly [string, (rig: ReturnType<typeof open>) => void][] = [
    ['too few Keepers', ({ shortage }) => void (shortage.now = tooFew)],
    ['the disk is full', ({ audit }) => void (audit.problem = 'the disk is full')],
    ['the agent does not answer, so the identity is not renewed', ({ source }) => source.unreachable()],
    ['the audit is shorter', ({ custody }) => void custody.opened.warnings.push('the audit is shorter')],
    ['a record does not open', ({ status }) => status.noteBackground(['a record does not open'])],
    ['a sink fails', ({ status }) => status.plug({ problems: () => ['a sink fails'] })],
  ];
  for (const [message, cause] of problems) {
    const rig = open();
    assert.equal((await rig.describe(true)).well, true);
    cause(rig);
    const { well, problems: told } = await rig.describe(true);
    assert.deepEqual([well, told], [false, [message]]);
  }
});

test('to verify is to open every record and to ask every Keeper', async () => {
  const rig = open();
  const whole = await rig.describe(true, true);
  assert.deepEqual([whole.verify, rig.asked()], [{ ok: true, checked: 7, problems: [] }, 1]);
  rig.verified.problems.push('a record does not open');
  rig.shortage.now = tooFew;
  const { verify, well, problems } = await rig.describe(true, true);
  assert.deepEqual(verify?.problems, ['a record does not open', 'too few Keepers']);
  assert.deepEqual([verify?.ok, well, problems.length], [false, false, 2]);
});
