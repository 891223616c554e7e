import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { BackupParser, BackupWriter } from '@spike/backup';
import { openStream, parseIdentities, parseRecipients, sealStream } from '@spike/backup/age';
import { SecretPath } from '@spike/contract';
import { initialize, newPassword, startGuarded, withFile } from './admin.ts';
import { fillSystem, makeKey, takeShares, type BackupPlace } from './backup.ts';
import { openCaller } from './caller.ts';
import { openScratch, runProgram, System, until, type Outcome } from './system.ts';

const args = ['--no-recovery-file'];
let scratch: Awaited<ReturnType<typeof openScratch>>;
let system: System;
let place: BackupPlace;
let shares: readonly string[];
before(async () => {
  scratch = await openScratch();
  system = await System.start({ args });
  await fillSystem(system);
  place = await makeKey(system, scratch.path);
  shares = await takeShares(system, scratch.path);
  await system.mustSpike(['backup', 'create', place.backup, '-R', place.recipients]);
});
after(async () => {
  await system[Symbol.asyncDispose]();
  await scratch[Symbol.asyncDispose]();
});

const file = (name: string): string => join(scratch.path, name);
const giving = (...ids: readonly number[]): string[] => ids.flatMap((id) => ['-s', shares[id - 1] ?? '']);

async function open(path: string): Promise<Buffer> {
  const identities = parseIdentities(await readFile(place.key, 'utf8'));
  const sealed = await readFile(path);
  async function* feed(): AsyncGenerator<Uint8Array> {
    yield sealed;
  }
  return Buffer.concat(await Array.fromAsync(await openStream(feed(), identities)));
}

/** Whoever knows the recipient can seal: the age layer proves nothing. */
async function seal(name: string, content: Uint8Array): Promise<string> {
  const recipients = parseRecipients(await readFile(place.recipients, 'utf8'));
  const stream = await sealStream(ReadableStream.from([Uint8Array.from(content)]), recipients);
  await writeFile(file(name), Buffer.concat(await Array.fromAsync(stream)));
  return file(name);
}

test('a backup is never written over, goes to a pipe whole, and is known again in a directory', async () => {
  const create = ['backup', 'create', place.backup, '-R', place.recipients];
  assert.equal((await system.spike(create)).code, 6);
  assert.equal((await system.spike(['backup', 'key', place.key])).code, 6);
  const script = `"${process.execPath}" bin/spike.mjs backup create - -R "${place.recipients}" > "${file('piped.age')}"`;
  const piped = await runProgram('sh', ['-c', script], { env: { SPIKE_HOME: system.home.root } });
  assert.equal(piped.code, 0, piped.stderr);
  await system.mustSpike(['backup', 'verify', file('piped.age'), '-i', place.key]);
  const listed = JSON.parse(await system.mustSpike(['backup', 'list', scratch.path, '-f', 'json'])) as {
    readonly backups: readonly {
      readonly sha256: string;
      readonly verifiedAt?: string;
      readonly digest: string;
    }[];
    readonly files: readonly { readonly file: string; readonly digest?: string }[];
  };
  assert.equal(listed.backups.length, 2);
  assert.ok(listed.backups[0]?.verifiedAt !== undefined);
  assert.deepEqual(
    listed.files.map(({ file: path, digest }) => [path, digest]),
    [
      [file('piped.age'), listed.backups[0].digest],
      [place.backup, listed.backups[1]?.digest],
    ],
  );
  assert.match(await system.mustSpike(['backup', 'list', scratch.path]), /verified 20/);
  const nowhere = await system.spike(['backup', 'create', file('none/x.age'), '-R', place.recipients]);
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.stderr, /no such directory/);
  // The one that failed is given up at once: the next begins.
  await system.mustSpike(['backup', 'create', file('next.age'), '-R', place.recipients]);
  assert.deepEqual(
    (await readdir(scratch.path)).filter((name) => name.endsWith('.tmp')),
    [],
  );
});

test('records are opened with shares where no Nexus runs, and what is missing or wrong is named', async () => {
  const env = { SPIKE_NEXUS_API_URL: 'https://127.0.0.1:1', SPIFFE_ENDPOINT_SOCKET: 'unix:///nowhere' };
  const verify = async (...rest: string[]): Promise<Outcome> =>
    system.spike(['backup', 'verify', place.backup, '-i', place.key, ...rest], { env });
  const whole = await verify(...giving(1, 3), '-f', 'json');
  assert.equal(whole.code, 0, whole.stderr);
  const value = JSON.parse(whole.stdout) as Record<string, unknown>;
  assert.deepEqual([value['ok'], value['whole'], value['problems']], [true, true, []]);
  assert.ok(typeof value['ageSeconds'] === 'number' && value['ageSeconds'] < 600);
  const few = await verify(...giving(2));
  assert.equal(few.code, 1);
  assert.match(few.stderr, /1 more recovery shares/);
  await writeFile(file('foreign.txt'), `spike:1:${randomBytes(31).toString('hex').padStart(64, '0')}\n`, {
    mode: 0o600,
  });
  const foreign = await verify('-s', file('foreign.txt'), ...giving(2));
  assert.equal(foreign.code, 1);
  assert.match(foreign.stderr, /share 1 is not a recovery share of instance/);
  const alone = await verify();
  assert.equal(alone.code, 5, alone.stderr);
  assert.match(alone.stdout, /The records were not opened: no SPIFFE agent answers/);
  const offline = await verify('--offline');
  assert.equal(offline.code, 0);
  await copyFile(shares[0] ?? '', file('open.txt'));
  await chmod(file('open.txt'), 0o644);
  assert.match((await verify('-s', file('open.txt'))).stderr, /read or written by others/);
});

test('damaged, cut off, foreign, newer, forged and boundless backups are refused, each with its reason', async () => {
  const sealed = await readFile(place.backup);
  const content = await open(place.backup);
  const flipped = Buffer.from(sealed);
  flipped[flipped.length - 100] = (flipped.at(-100) ?? 0) ^ 1;
  await writeFile(file('flipped'), flipped);
  await writeFile(file('cut'), sealed.subarray(0, -200));
  await writeFile(file('text'), 'hello\n');
  await writeFile(file('empty'), '');
  const frames = [...new BackupParser().push(content)];
  const forged = (withoutRow: number): Buffer => {
    const writer = new BackupWriter();
    const parts: Uint8Array[] = [];
    let row = 0;
    for (const frame of frames) {
      if (frame.kind === 'header') parts.push(writer.header(frame.header));
      if (frame.kind === 'head') parts.push(writer.head(frame.revision, frame.bytes));
      if (frame.kind === 'row' && row++ !== withoutRow) parts.push(writer.row(frame.table, frame.row));
      const { key, mac } = frame.kind === 'trailer' ? frame.trailer : { key: 0, mac: new Uint8Array() };
      if (frame.kind === 'trailer') parts.push(writer.trailer(() => ({ key, mac })).bytes);
    }
    return Buffer.concat(parts);
  };
  const cases: readonly (readonly [string, string, RegExp, number])[] = [
    ['a flipped byte', file('flipped'), /damaged or cut off/, 2],
    ['cut off', file('cut'), /damaged or cut off/, 2],
    ['no age file', file('text'), /no file of age/, 2],
    ['nothing', file('empty'), /no file of age/, 2],
    ['missing', file('missing'), /no such file/, 2],
    ['cut off inside', await seal('inside', content.subarray(0, -10)), /its end is missing/, 2],
    ['something behind', await seal('behind', Buffer.concat([content, Buffer.of(0)])), /follows its end/, 2],
    ['no backup', await seal('other', Buffer.from('hello\n')), /something else than a backup/, 2],
    [
      'newer',
      await seal('newer', Buffer.concat([Buffer.from('spike-backup/v9\n'), content.subarray(16)])),
      /format 9/,
      2,
    ],
    [
      'boundless',
      await seal('huge', Buffer.concat([content.subarray(0, 16), Buffer.of(1, 255, 255, 255, 255)])),
      /longer than any/,
      2,
    ],
    ['a record less', await seal('less', forged(2)), /taken out, put in or mixed/, 1],
  ];
  for (const [name, path, reason, code] of cases) {
    const verified = await system.spike(['backup', 'verify', path, '-i', place.key]);
    assert.equal(verified.code, code, `${name}: ${verified.stderr}`);
    assert.match(verified.stderr, reason, name);
    const restored = await system.spike([
      'backup',
      'restore',
      path,
      '-i',
      place.key,
      ...giving(1, 2),
      '--yes',
      '--replace',
    ]);
    assert.equal(restored.code, code, `${name}: ${restored.stderr}`);
    assert.match(restored.stderr, reason, name);
  }
  await using other = await openScratch();
  const { key } = await makeKey(system, other.path);
  const wrong = await system.spike(['backup', 'verify', place.backup, '-i', key]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.stderr, /sealed to other recipients/);
  assert.equal(
    (await system.spike(['backup', 'restore', place.backup, '-i', place.key, '--yes'])).code,
    1,
    'no shares',
  );
  assert.match(await system.mustSpike(['secret', 'get', 'tenants/acme/web']), /xyz/, 'nothing was changed');
});

test('a backup that is taken under load is of one moment', async () => {
  await using caller = await openCaller(system);
  const paths = Array.from({ length: 40 }, (_, index) => SecretPath.parse(`load/${index}`));
  const round = async (value: number): Promise<void> => {
    // One after the other: at any moment the values fall along the paths, by one at most.
    for (const path of paths)
      await caller.call.putSecret({ path, values: { n: String(value), pad: 'x'.repeat(2_000) } });
  };
  await round(0);
  let running = true;
  const writing = (async () => {
    for (let value = 1; running; value++) await round(value);
  })();
  for (let take = 0; take < 3; take++) {
    await system.mustSpike(['backup', 'create', file(`load-${take}.age`), '-R', place.recipients]);
  }
  running = false;
  await writing;
  for (let take = 0; take < 3; take++) {
    const path = file(`load-${take}.age`);
    await system.mustSpike(['backup', 'verify', path, '-i', place.key]);
    await using target = await System.start({ args });
    await target.mustSpike(['backup', 'restore', path, '-i', place.key, ...giving(1, 2), '--yes']);
    await using reader = await openCaller(target);
    const values: number[] = [];
    for (const one of paths)
      values.push(Number((await reader.call.getSecret({ path: one, version: 0 })).data['n']));
    const [first = 0] = values;
    const at = values.findIndex((value) => value !== first);
    const expected = values.map((_, index) => (at >= 0 && index >= at ? first - 1 : first));
    assert.deepEqual(values, expected, 'what was written later is there, and what was written before is not');
  }
});

test('SIGKILL of Nexus in the middle of a restore loses nothing: it is gone on with, and nothing else is served', async () => {
  const count = 200;
  const mostTries = 8;
  await using source = await System.start({ args });
  await using scratchpad = await openScratch();
  await fillSystem(source);
  {
    await using caller = await openCaller(source);
    for (let index = 0; index < count; index++) {
      const values = { value: String(index), pad: randomBytes(24_000).toString('hex') };
      await caller.call.putSecret({ path: SecretPath.parse(`many/${index}`), values });
    }
  }
  const own = await makeKey(source, scratchpad.path);
  const ownShares = (await takeShares(source, scratchpad.path)).slice(0, 2).flatMap((path) => ['-s', path]);
  await source.mustSpike(['backup', 'create', own.backup, '-R', own.recipients]);
  await using target = await System.start({ args });
  await target.mustSpike(['secret', 'put', 'old/one', 'a=b']);
  const restore = ['backup', 'restore', own.backup, '-i', own.key, ...ownShares, '--replace', '--yes'];
  const auditOf = async (): Promise<string> => {
    const names = (await readdir(target.home.audit)).filter((name) => name.endsWith('.jsonl'));
    return (await Promise.all(names.map((name) => readFile(join(target.home.audit, name), 'utf8')))).join('');
  };
  const feeds = async (): Promise<number> => {
    const text = await auditOf();
    const started = text.lastIndexOf('"action":"backup.restore.begin"');
    return started < 0 ? -1 : text.slice(started).split('"action":"backup.feed"').length - 1;
  };
  const assertRestored = async (): Promise<void> => {
    await using caller = await openCaller(target);
    for (let index = 0; index < count; index++) {
      const path = SecretPath.parse(`many/${index}`);
      const { data } = await caller.call.getSecret({ path, version: 0 });
      assert.equal(data['value'], String(index));
    }
    assert.equal((await target.spike(['secret', 'get', 'old/one'])).code, 3);
    const verified = await caller.call.status({ verify: true });
    assert.deepEqual(verified.verify?.problems, []);
    assert.equal(verified.state, 'ready');
  };
  const killAt = async (feed: number): Promise<'in the middle' | 'too late'> => {
    const from = (await auditOf()).split('"action":"backup.restore.begin"').length;
    const [pid] = await target.pidsOf('nexus');
    assert.ok(pid !== undefined);
    const running = target.spike(restore);
    await until('the restore is so far', async () => {
      const begun = (await auditOf()).split('"action":"backup.restore.begin"').length > from;
      return begun && (await feeds()) >= feed;
    });
    process.kill(pid, 'SIGKILL');
    const { code } = await running;
    const found = await until('Nexus has its key again', async () => {
      const { stdout } = await target.spike(['status', '-f', 'json']);
      if (stdout.includes('is being restored')) return 'in the middle';
      return stdout.includes('"state": "ready"') && 'too late';
    });
    if (found === 'in the middle') assert.notEqual(code, 0);
    return found;
  };
  for (const feed of [0, 1, 3]) {
    // On a machine that is busy the restore may have ended before the kill: then all of it is there, and it begins anew.
    for (let tries = 1; (await killAt(feed)) === 'too late'; tries++) {
      assert.ok(tries < mostTries, `no kill of ${tries} came before the restore had ended`);
      await assertRestored();
      await target.mustSpike(['secret', 'put', 'old/one', 'a=b']);
    }
    const refused = await target.spike(['secret', 'get', 'old/one']);
    assert.equal(refused.code, 5, refused.stderr);
    assert.match(refused.stderr, /a backup is being restored/);
  }
  const other = await target.spike([
    'backup',
    'restore',
    place.backup,
    '-i',
    place.key,
    ...giving(1, 2),
    '--replace',
    '--yes',
  ]);
  assert.equal(other.code, 6);
  assert.match(other.stderr, /restore of another backup is under way/);
  await target.mustSpike(restore);
  await assertRestored();
});

test('administrators come back with their passwords, the one who restores stays, and all sessions end', async () => {
  await using scratchpad = await openScratch();
  let own: BackupPlace;
  let given: string[];
  let password = '';
  let oneTime = '';
  {
    await using source = await startGuarded();
    password = await initialize(source);
    await source.mustSpike(['secret', 'put', 'a/b', 'c=d']);
    const created = await source.mustSpike(['admin', 'create', 'bea', '--role', 'auditor', '-f', 'json']);
    oneTime = (JSON.parse(created) as { readonly oneTimePassword: string }).oneTimePassword;
    await source.mustSpike(['admin', 'create', 'cem', '--role', 'auditor']);
    await source
      .mustSpike(['admin', 'disable', 'cem', '--yes'])
      .catch(() => source.mustSpike(['admin', 'disable', 'cem']));
    own = await makeKey(source, scratchpad.path);
    await source.mustSpike(['approve', 'recover', '--for', 'spiffe://spike.ist/spike/pilot/role/recover']);
    given = (await takeShares(source, scratchpad.path)).slice(0, 2).flatMap((path) => ['-s', path]);
    await source.mustSpike(['backup', 'create', own.backup, '-R', own.recipients]);
  }
  await using target = await startGuarded();
  const before = await target.spike(['backup', 'list']);
  assert.equal(before.code, 10, 'nothing before init');
  const fresh = await initialize(target);
  assert.notEqual(fresh, password);
  const restore = ['backup', 'restore', own.backup, '-i', own.key, ...given];
  const told = await target.spike(restore);
  assert.match(told.stderr, /disabled +cem/);
  await target.mustSpike([...restore, '--yes']);
  assert.equal((await target.spike(['secret', 'get', 'a/b'])).code, 8, 'the session has ended');
  const old = await target.spike(['login', '--password-stdin'], { input: password });
  assert.notEqual(old.code, 0, 'the one who restored has the password that he had here');
  await target.mustSpike(['login', '--password-stdin'], { input: fresh });
  assert.match(await target.mustSpike(['secret', 'get', 'a/b']), /d/);
  const list = await target.mustSpike(['admin', 'list']);
  for (const name of ['bea', 'cem']) assert.match(list, new RegExp(name));
  await withFile(newPassword(), async (path) => {
    const login = ['login', '--user', 'bea', '--password-stdin', '--new-password-file', path];
    const bea = await target.spike(login, { input: oneTime });
    assert.equal(bea.code, 0, bea.stderr);
  });
  assert.equal((await target.spike(['secret', 'get', 'a/b'])).code, 4, 'an auditor, as before');
});
