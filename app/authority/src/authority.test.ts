import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readFile, realpath, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { SpikeError } from '@spike/error';
import { PidHandle } from '@spike/host';
import { TestAuthority } from './testing/authority.ts';

/** Less than the interval at which streams look around by themselves. */
const feltMs = 900;
const uid = process.getuid?.() ?? -1;
const id = (path: string): string => `spiffe://spike.ist${path}`;

function withCode(code: string) {
  return (error: unknown): boolean => error instanceof SpikeError && error.code === code;
}

test('a part gets its identity when the launcher registers it, and no other process of its uid does', async () => {
  await using authority = await TestAuthority.start();
  await authority.admin.createEntry({ spiffeId: id('/spike/nexus'), selectors: ['part:nexus'] });
  await authority.admin.createEntry({ spiffeId: id('/user') });
  const nexus = authority.startWorkload();
  const stranger = authority.startWorkload();
  await nexus.untilIds('/user');
  await stranger.untilIds('/user');
  await authority.admin.registerPart({ pid: nexus.pid, part: 'nexus' });
  await nexus.untilIds('/spike/nexus', '/user');
  // The stranger was asked again by the same change; what it gets is still its own.
  await authority.admin.createEntry({ spiffeId: id('/more') });
  await stranger.until(({ ids }) => {
    assert.ok(!ids.includes('/spike/nexus'));
    return ids.includes('/more');
  });
  const { parts, streams, caution } = await authority.admin.status();
  assert.deepEqual(parts, [{ pid: nexus.pid, part: 'nexus' }]);
  assert.equal(streams, 2);
  assert.match(caution, /SPIRE/);
});

test('only the launcher registers parts, and only its own children', async () => {
  await using authority = await TestAuthority.start();
  const workload = authority.startWorkload();
  assert.deepEqual(await authority.askAsStranger({ pid: workload.pid, part: 'nexus' }, { part: 'nexus' }), [
    'access_unauthorized',
    'access_unauthorized',
  ]);
  await assert.rejects(
    authority.admin.registerPart({ pid: process.ppid, part: 'nexus' }),
    withCode('access_unauthorized'),
  );
  await assert.rejects(
    authority.admin.registerPart({ pid: 4_194_000, part: 'nexus' }),
    withCode('data_invalid_input'),
  );
  await authority.admin.registerPart({ pid: workload.pid, part: 'nexus' });
  await authority.admin.registerPart({ pid: workload.pid, part: 'nexus' });
  await assert.rejects(
    authority.admin.registerPart({ pid: workload.pid, part: 'keeper' }),
    withCode('entity_version_conflict'),
  );
});

test('identities of the parts can be given by no entry but one of the launcher for a part', async () => {
  await using authority = await TestAuthority.start();
  const reserved = ['/spike/nexus', '/spike/keeper/1', '/spike/bootstrap'].map(id);
  const invalid = ['spiffe://example.org/a', 'spiffe://spike.ist', 'spiffe://spike.ist/a/', 'nonsense'];
  for (const spiffeId of reserved) {
    await assert.rejects(
      authority.admin.createEntry({ spiffeId, selectors: [`uid:${uid}`] }),
      withCode('access_unauthorized'),
    );
    await assert.rejects(authority.admin.bindRun(spiffeId), withCode('access_unauthorized'));
  }
  for (const spiffeId of invalid) {
    await assert.rejects(authority.admin.bindRun(spiffeId), withCode('data_invalid_input'));
  }
  assert.deepEqual(
    await authority.askAsStranger(
      ...reserved.map((spiffeId) => ({ spiffeId })),
      ...reserved.map((spiffeId) => ({ spiffeId, selectors: ['part:nexus'] })),
      { spiffeId: id('/a'), selectors: ['part:nexus'] },
    ),
    Array.from({ length: 7 }, () => 'access_unauthorized'),
  );
  assert.deepEqual(
    await authority.askAsStranger(
      ...invalid.map((spiffeId) => ({ spiffeId })),
      { spiffeId: id('/a'), selectors: ['uid:me'] },
      { spiffeId: id('/spike/pilot/role/recover') },
    ),
    [...Array.from({ length: 5 }, () => 'data_invalid_input'), 'OK'],
  );
  assert.deepEqual(
    (await authority.admin.listEntries()).map(({ spiffeId, selectors, origin }) => [
      spiffeId,
      selectors,
      origin,
    ]),
    [[id('/spike/pilot/role/recover'), [{ type: 'uid', value: String(uid) }], 'operator']],
  );
});

test('a program that was started by run gets that ID and no other, and its children are ordinary callers', async () => {
  await using authority = await TestAuthority.start();
  await authority.admin.createEntry({ spiffeId: id('/user') });
  const direct = authority.startWorkload(authority.runCommand(id('/only'), authority.workloadCommand));
  const told = await direct.untilIds('/only');
  assert.equal(told.pid, direct.pid);
  const shell = ['sh', '-c', `"$@"; exit $?`, 'sh', ...authority.workloadCommand];
  const parent = authority.startWorkload(authority.runCommand(id('/only'), shell));
  const child = await parent.untilIds('/user');
  assert.notEqual(child.pid, parent.pid);
  process.kill(child.pid, 'SIGKILL');

  // Another entry for the same uid, or the very pid, changes nothing for the one that is bound.
  await authority.admin.createEntry({ spiffeId: id('/pid'), selectors: [`pid:${direct.pid}`] });
  const bound = (await authority.admin.listEntries()).find(
    ({ origin, selectors }) => origin === 'run' && selectors[0]?.value === String(direct.pid),
  );
  await authority.admin.deleteEntry(bound?.id ?? '');
  await direct.until(({ kind, ids }) => {
    assert.deepEqual(ids, []);
    return kind === 'denied';
  });
});

test('what was said of a process ends with it', async () => {
  await using authority = await TestAuthority.start();
  const run = authority.startWorkload(authority.runCommand(id('/run'), authority.workloadCommand));
  const part = authority.startWorkload();
  await authority.admin.registerPart({ pid: part.pid, part: 'keeper' });
  await authority.admin.createEntry({ spiffeId: id('/pid'), selectors: [`pid:${part.pid}`] });
  await run.untilIds('/run');
  await part.untilIds('/pid');
  run.kill();
  part.kill();
  const isOver = async (): Promise<boolean> => {
    const { entries, parts, streams } = await authority.admin.status();
    return entries === 0 && parts.length === 0 && streams === 0;
  };
  const deadline = AbortSignal.timeout(5_000);
  while (!(await isOver())) deadline.throwIfAborted();
});

test('an entry is felt by those whom it concerns as soon as it is made and as soon as it is gone', async () => {
  await using authority = await TestAuthority.start();
  const workload = authority.startWorkload();
  await workload.until(({ kind }) => kind === 'denied');
  const { entry, created } = await authority.admin.createEntry({ spiffeId: id('/a') });
  assert.equal(created, true);
  assert.deepEqual(entry.selectors, [{ type: 'uid', value: String(uid) }]);
  await workload.untilIds('/a');
  assert.deepEqual(await authority.admin.createEntry({ spiffeId: id('/a') }), { entry, created: false });
  assert.deepEqual(await authority.admin.showEntry(entry.id), entry);

  const second = await authority.admin.createEntry({ spiffeId: id('/b') });
  const both = await workload.untilIds('/a', '/b');
  let started = performance.now();
  await authority.admin.deleteEntry(entry.id);
  const one = await workload.untilIds('/b');
  assert.ok(performance.now() - started < feltMs);
  assert.equal(one.serials[0], both.serials[1], 'an identity that stays keeps its certificate');
  started = performance.now();
  await authority.admin.deleteEntry(second.entry.id);
  await workload.until(({ kind }) => kind === 'denied');
  assert.ok(performance.now() - started < feltMs);
  await assert.rejects(authority.admin.deleteEntry(entry.id), withCode('api_not_found'));
  await assert.rejects(authority.admin.showEntry(entry.id), withCode('api_not_found'));
  const events = authority.log.map((line) => String(JSON.parse(line).event));
  assert.equal(events.filter((event) => event === 'entry.created').length, 2);
  assert.equal(events.filter((event) => event === 'entry.deleted').length, 2);
});

test('a program is told by its path and by its digest, on a thread of its own', async () => {
  await using authority = await TestAuthority.start();
  const path = await realpath(process.execPath);
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  const sha256 = hash.digest('hex');
  await authority.admin.createEntry({ spiffeId: id('/path'), selectors: [`path:${path}`] });
  await authority.admin.createEntry({ spiffeId: id('/sha'), selectors: [`sha256:${sha256}`] });
  await authority.admin.createEntry({ spiffeId: id('/other'), selectors: ['path:/bin/sh'] });
  const workload = authority.startWorkload();
  await workload.untilIds('/sha', '/path');
});

test('identities are renewed at their interval, each time with a new key', async () => {
  await using authority = await TestAuthority.start('--svid-lifetime', '2s', '--rotate-every', '1s');
  await authority.admin.createEntry({ spiffeId: id('/a') });
  const workload = authority.startWorkload();
  const first = await workload.untilIds('/a');
  const second = await workload.untilIds('/a');
  assert.notEqual(first.serials[0], second.serials[0]);
});

test('an authority that was killed comes back with its key, its entries and what it bound; parts are to be registered again', async () => {
  await using authority = await TestAuthority.start();
  await authority.admin.createEntry({ spiffeId: id('/spike/nexus'), selectors: ['part:nexus'] });
  await authority.admin.createEntry({ spiffeId: id('/user') });
  const part = authority.startWorkload();
  const run = authority.startWorkload(authority.runCommand(id('/run'), authority.workloadCommand));
  await authority.admin.registerPart({ pid: part.pid, part: 'nexus' });
  await part.untilIds('/spike/nexus', '/user');
  await run.untilIds('/run');
  const key = await readFile(join(authority.directory, 'state', 'authority.pem'));
  await authority.kill('SIGKILL');
  await part.until(({ kind }) => kind === 'lost');
  await authority.start();
  await part.untilIds('/user');
  assert.deepEqual(await readFile(join(authority.directory, 'state', 'authority.pem')), key);
  assert.equal((await authority.admin.listEntries()).length, 3);
  const [bound] = (await authority.admin.listEntries()).filter(({ origin }) => origin === 'run');
  assert.equal(bound?.spiffeId, id('/run'));
  await authority.admin.registerPart({ pid: part.pid, part: 'nexus' });
  await part.untilIds('/spike/nexus', '/user');
});

test('one state has one running authority, and both sockets are for their owner alone', async () => {
  await using authority = await TestAuthority.start();
  const second = authority.spawnAuthority();
  const [code] = await once(second, 'exit');
  assert.equal(code, 2);
  assert.ok(authority.log.some((line) => line.includes('another authority is running')));
  for (const path of [authority.socket, authority.adminSocket]) {
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await stat(dirname(path))).mode & 0o777, 0o700);
  }
  assert.equal(await authority.kill('SIGTERM'), 0);
  await assert.rejects(authority.admin.status(), withCode('net_peer_connection'));
});

test('the admin socket refuses what is not a request of its own, and goes on', async () => {
  await using authority = await TestAuthority.start();
  const send = async (text: string): Promise<string> => {
    const socket = connect(authority.adminSocket);
    socket.end(text);
    const chunks: Buffer[] = [];
    for await (const chunk of socket) if (Buffer.isBuffer(chunk)) chunks.push(chunk);
    return Buffer.concat(chunks).toString('latin1');
  };
  const post = (path: string, body: string): string =>
    `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
  assert.match(await send(post('/v1/status', '{}')), /^HTTP\/1\.1 200 /);
  assert.match(await send(post('/v1/nothing', '{}')), /404.*api_not_found/s);
  assert.match(await send(post('/v1/__proto__', '{}')), /404/);
  assert.match(await send('GET /v1/status HTTP/1.1\r\nhost: x\r\n\r\n'), /404/);
  assert.match(await send(post('/v1/entry/create', '{')), /data_invalid_input/);
  assert.match(await send(post('/v1/entry/create', '{"spiffeId":1}')), /data_invalid_input/);
  assert.match(await send(post('/v1/entry/list', '{"extra":1}')), /data_invalid_input/);
  assert.match(await send(post('/v1/entry/list', ' '.repeat(200_000))), /413/);
  assert.match(await send('nonsense\r\n\r\n'), /400/);
  assert.equal((await authority.admin.status()).entries, 0);
});

test('an authority ends with the process that started it', async () => {
  await using authority = await TestAuthority.start();
  const { child, pid } = await authority.startUnderParent();
  using handle = PidHandle.open(pid);
  const ended = once(child, 'close');
  child.kill('SIGKILL');
  await ended;
  // The kernel closes what a process holds a moment before it calls the process ended.
  const deadline = AbortSignal.timeout(2_000);
  while (handle.alive()) await setImmediate(undefined, { signal: deadline });
});
