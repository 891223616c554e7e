import assert from 'node:assert/strict';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openCheckpoint, parseCheckpoint, VerifierKey } from '@spike/audit';
import { openScratch, System, until } from './system.ts';

const logName = `${'0'.repeat(20)}.jsonl`;
const fast = { env: { SPIKE_NEXUS_AUDIT_CHECKPOINT_INTERVAL: '100ms' } };

interface Report {
  readonly ok: boolean;
  readonly size: number;
  readonly first: number;
  readonly problems: readonly string[];
}

async function report(
  system: System,
  ...args: readonly string[]
): Promise<Report & { readonly code: number | null }> {
  const { code, stdout, stderr } = await system.spike(['audit', 'verify', ...args, '-f', 'json']);
  assert.notEqual(stdout, '', stderr);
  return { ...(JSON.parse(stdout) as Report), code };
}

test('who reads the audit finds every request, proves it, takes a copy along and verifies it anywhere', async () => {
  await using system = await System.start(fast);
  await using scratch = await openScratch();
  const at = (name: string): string => join(scratch.path, name);
  await system.mustSpike(['audit', 'key', '--pin']);
  await system.mustSpike(['secret', 'put', 'tenants/acme/db', 'pass=correct horse']);
  await system.mustSpike(['secret', 'get', 'tenants/acme/db']);
  await system.mustSpike(['audit', 'checkpoint', '--out', at('early')]);
  await system.spike(['secret', 'get', 'tenants/none']);

  const tail = await system.mustSpike(['audit', 'tail', '-n', '100']);
  assert.match(tail, /secret\.put {2}ok {2}spiffe:\S+\/superuser\S* {2}tenants\/acme\/db$/mu);
  assert.doesNotMatch(tail, /correct horse/u);
  const search = async (...args: readonly string[]): Promise<{ action: string; sequence: number }[]> =>
    JSON.parse(await system.mustSpike(['audit', 'search', ...args, '-f', 'json'])) as never;
  assert.deepEqual(
    (await search('--path', 'tenants/acme', '--outcome', 'ok')).map(({ action }) => action),
    ['secret.put', 'secret.get'],
  );
  const [missed] = await search('--outcome', 'failed', '--action', 'secret', '--since', '1h');
  assert.equal(missed?.action, 'secret.get');
  assert.deepEqual(await search('--since', '2090-01-01'), []);
  // All of this is recorded, too.
  assert.ok((await search('--action', 'audit')).length >= 5);

  const proof = at('line.tlog-proof');
  await system.mustSpike(['audit', 'prove', `${missed.sequence}`, '--out', proof]);
  assert.match(
    await system.mustSpike(['audit', 'verify', proof]),
    /^Line \d+ is in the audit spike\.ist\/spike\//u,
  );
  await writeFile(at('forged'), (await readFile(proof, 'utf8')).replace(/index (\d+)/u, 'index 1$1'));
  assert.notEqual((await system.spike(['audit', 'verify', at('forged')])).code, 0);

  await system.mustSpike(['audit', 'export', '--out', at('copy')]);
  assert.equal((await stat(at('copy'))).mode & 0o777, 0o600);
  const key = (await system.mustSpike(['audit', 'key'])).trim();
  await writeFile(at('key'), key);
  const lines = (await readFile(at('copy'), 'utf8')).split('\n').length - 1;
  const whole = await report(system, at('copy'));
  assert.deepEqual([whole.ok, whole.code, whole.size], [true, 0, lines]);
  await system.stop();

  // On another machine, with nothing but the copy, what somebody kept, and the key.
  const elsewhere = { env: { SPIKE_HOME: at('home') } };
  const verify = (...args: readonly string[]) => system.spike(['audit', 'verify', ...args], elsewhere);
  assert.equal((await verify(at('copy'), '--key', key)).code, 0);
  assert.equal(
    (await verify(at('copy'), '--key', at('key'), '--checkpoint', at('early'), '--allow-uncovered')).code,
    0,
  );
  assert.equal((await verify(at('copy'), '--key', at('key'), '--checkpoint', at('early'))).code, 1);
  const { code, stderr } = await verify(at('copy'));
  assert.deepEqual([code === 0, /no key is pinned/u.test(stderr)], [false, true]);
  const text = await readFile(at('copy'), 'utf8');
  await writeFile(at('copy'), text.replace('tenants/none', 'tenants/nine'));
  const changed = await verify(at('copy'), '--key', key);
  assert.equal(changed.code, 1);
  assert.match(changed.stdout, /NOT WHOLE[^]*are not those that were signed/u);
  await writeFile(at('copy'), text.slice(0, text.lastIndexOf('\n', text.length - 2) + 1));
  assert.match((await verify(at('copy'), '--key', key)).stdout, /the copy ends behind/u);
});

test('every administrator is a witness: a log that was cut off or written anew is told by who saw it', async () => {
  await using system = await System.start(fast);
  await system.mustSpike(['audit', 'key', '--pin']);
  await system.mustSpike(['secret', 'put', 'a/b', 'k=v']);
  assert.deepEqual((await report(system, '--download')).problems, []);
  await system.kill();
  {
    // A kill takes nothing away.
    await using again = await System.start({ ...fast, home: system.home.root });
    await again.ready();
    assert.deepEqual((await report(again, '--download')).problems, []);
    await again.stop();
  }
  const log = join(system.home.audit, logName);
  const text = await readFile(log, 'utf8');
  const lines = text.split('\n');
  const trust = await readFile(join(system.home.root, 'pilot', 'audit.json'), 'utf8');
  const seen =
    Object.values(JSON.parse(trust) as Record<string, { checkpoint: string }>)[0]?.checkpoint ?? '';
  const { size } = parseCheckpoint(seen);
  // Whoever cuts a log takes its checkpoint and the anchor away, too.
  await writeFile(log, `${lines.slice(0, size - 1).join('\n')}\n`);
  await rm(join(system.home.audit, 'checkpoint'));
  await rm(system.home.anchorFile);
  await using after = await System.start({ ...fast, home: system.home.root });
  await after.ready();
  const { code, ok, problems } = await report(after);
  assert.deepEqual([code, ok], [1, false]);
  assert.match(problems.join('\n'), /not the continuation|never had|no checkpoint is signed|is shorter/u);
  const tail = await after.spike(['audit', 'tail', '-n', '1']);
  assert.equal(tail.code, 1);
  assert.match(tail.stderr, /THE AUDIT: /u);
  assert.match(tail.stdout, /\S/u, 'and shows what there is');
});

test('checkpoints come with time, at what operators do and at a clean stop, in a file of mode 0600', async () => {
  await using system = await System.start();
  const path = join(system.home.audit, 'checkpoint');
  const patterns = ['--path-pattern', '^a/.*', '--spiffeid-pattern', '^spiffe://spike\\.ist/a$'];
  await system.mustSpike(['policy', 'create', '--name', 'p', ...patterns, '--permissions', 'read']);
  const key = VerifierKey.parse(await system.mustSpike(['audit', 'key']));
  const read = async () => openCheckpoint(await readFile(path, 'utf8'), key);
  const { size } = await until('a checkpoint of the policy', async () => read().catch(() => undefined));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await system.mustSpike(['secret', 'put', 'a/b', 'k=v']);
  assert.equal((await read()).size, size, 'what is read and written is signed with time');
  await system.stop();
  const lines = (await readFile(join(system.home.audit, logName), 'utf8')).split('\n').length - 1;
  assert.deepEqual([(await read()).size, lines > size], [lines, true]);
  const anchor = JSON.parse(await readFile(system.home.anchorFile, 'utf8')) as {
    signedSize?: number;
    auditSize: number;
  };
  assert.equal(Math.max(anchor.signedSize ?? 0, anchor.auditSize), lines);
});
