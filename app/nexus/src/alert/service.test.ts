import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Spool } from '../book/spool.ts';
import { hasCode } from '../vault/testing/instance.ts';
import { openFixture } from '../vault/testing/ledger.ts';
import { AlertService } from './service.ts';
import { memorySinks, silent } from './testing/sink.ts';

const start = 1_800_000_000_000;

async function open(options: { readonly spool?: Spool } = {}) {
  const { ledger, vault } = await openFixture();
  const clock = { now: start };
  const make = (spool: Spool | undefined = options.spool) => {
    const { sink, sinks } = memorySinks();
    const service = new AlertService({
      sinks,
      spool,
      log: silent,
      instance: () => 'i',
      now: () => clock.now,
    });
    return { sink, service };
  };
  return { place: { ledger, vault }, clock, make, ...make() };
}

test('an alert is given to the sinks at once and kept, sealed, with who acknowledged it and when', async () => {
  const { service, sink, place, make } = await open();
  await service.attach(place);
  service.raise({
    kind: 'policy_widened',
    subject: 'app',
    message: 'it is new',
    detail: { by: 'spiffe://x/y' },
  });
  service.raise({ kind: 'policy_widened', subject: 'app', message: 'it gives write, too' });
  assert.equal(sink.alerts.length, 1, 'what is counted is no news');
  assert.deepEqual(
    [sink.alerts[0]?.id, sink.alerts[0]?.severity, sink.alerts[0]?.instance],
    [1, 'warning', 'i'],
  );
  await service.acknowledge(1, { by: 'alice', at: start + 5 });
  assert.deepEqual(service.list(), []);
  await assert.rejects(service.acknowledge(9, { by: 'alice', at: start }), hasCode('api_not_found'));
  await service.detach();

  const { service: again } = make();
  await again.attach(place);
  assert.deepEqual(again.countOpen(), { info: 0, warning: 0, critical: 0 });
  const [kept] = again.list({ all: true });
  assert.equal(kept?.count, 2);
  assert.equal(kept?.message, 'it gives write, too');
  assert.deepEqual(kept?.acknowledged, { by: 'alice', at: start + 5 });
  again.raise({ kind: 'policy_widened', subject: 'app', message: 'again' });
  assert.equal(again.get(2).count, 1, 'numbers go on after a restart');
});

test('what is raised before the key is here goes to the sinks at once and into the store when it is', async () => {
  const { service, sink, place } = await open();
  service.raise({ kind: 'keeper_bad_share', subject: '2', message: 'Keeper 2' });
  service.raise({ kind: 'keeper_bad_share', subject: '2', message: 'Keeper 2' });
  assert.deepEqual([sink.alerts.length, sink.alerts[0]?.id], [1, undefined]);
  for (let n = 0; n < 5_000; n++) service.raise({ kind: 'token_misuse', subject: `${n}`, message: 'm' });
  assert.ok(service.list().length <= 100, 'bounded');
  await service.attach(place);
  assert.equal(sink.alerts.filter(({ kind }) => kind === 'keeper_bad_share').length, 1, 'told once');
  assert.equal(service.list().find(({ kind }) => kind === 'keeper_bad_share')?.count, 2);
});

test('what a process raised that then dropped its memory is told again and kept, once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'spike-alert-'));
  const path = join(directory, 'spool.jsonl');
  const openSpool = () => {
    const spool = Spool.open(path, silent);
    assert(spool !== undefined);
    return spool;
  };
  try {
    // Before the key: only the spool has it, without its subject and its words.
    const { make, place, clock } = await open();
    const first = openSpool();
    make(first).service.raise({ kind: 'keeper_bad_share', subject: 'spiffe://a/b', message: 'secret words' });
    first[Symbol.dispose]();
    assert.match(await readFile(path, 'utf8'), /^{"type":"alert","kind":"keeper_bad_share","at":\d+}\n$/);

    // The process that comes after it tells the sinks at once, and gets the key.
    const second = openSpool();
    const unlocked = make(second);
    assert.deepEqual(
      unlocked.sink.alerts.map(({ kind }) => kind),
      ['keeper_bad_share'],
    );
    await unlocked.service.attach(place);
    await unlocked.service.flush();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(await readFile(path, 'utf8'), '', 'it is in the store');

    // With the key: an identity that is withdrawn leaves both in the store and in the spool.
    clock.now += 1_000;
    unlocked.service.raise({ kind: 'clock_step', message: 'stays out of the spool' });
    unlocked.service.raise({ kind: 'identity_withdrawn', message: 'withdrawn' });
    assert.match(await readFile(path, 'utf8'), /^{"type":"alert","kind":"identity_withdrawn","at":\d+}\n$/);
    await unlocked.service.detach();
    second[Symbol.dispose]();
    const third = openSpool();
    const back = make(third);
    assert.equal(back.sink.alerts.length, 1);
    await back.service.attach(place);
    assert.equal(back.service.list().find(({ kind }) => kind === 'identity_withdrawn')?.count, 1);
    third[Symbol.dispose]();
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('raising never throws, whatever is raised', async () => {
  const { service } = await open();
  service.raise({ kind: 'nonsense' as never, message: 'x' });
  service.raise({ kind: 'clock_step', message: undefined as never });
});

test('the path of a secret is kept sealed and given to no sink', async () => {
  const { service, sink, place } = await open();
  await service.attach(place);
  const detail = { path: 'tenants/acme/db', distinct: 3 };
  service.raise({ kind: 'unusual_access', subject: 'spiffe://x/y', message: 'm', detail });
  assert.deepEqual(sink.alerts[0]?.detail, { distinct: 3 });
  assert.deepEqual(service.get(1).detail, detail);
});
