import assert from 'node:assert/strict';
import { chmod, mkdtempDisposable, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { parseSelector } from '@spike/registry';
import { TrustDomain } from '@spike/spiffe';
import { createEntry } from './entry-list.ts';
import { AuthorityState } from './state.ts';

const domain = TrustDomain.parse('spike.ist');

async function openDirectory(): Promise<{ readonly state: string } & AsyncDisposable> {
  const directory = await mkdtempDisposable(join(tmpdir(), 'spike-state-'));
  return {
    state: join(directory.path, 'state'),
    [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose](),
  };
}

function withCode(code: string, says: RegExp) {
  return (error: unknown): boolean =>
    error instanceof SpikeError && error.code === code && says.test(error.message);
}

test('the key and the entries are there again, and only their owner can read them', async () => {
  await using directory = await openDirectory();
  const entry = createEntry({
    spiffeId: 'spiffe://spike.ist/a',
    selectors: [parseSelector('uid:1'), parseSelector('uid:1')],
    origin: 'operator',
  });
  const first = await AuthorityState.open(directory.state, domain);
  const certificate = first.authority.certificatePem;
  await first.writeEntries([entry]);
  first[Symbol.dispose]();
  using second = await AuthorityState.open(directory.state, domain);
  assert.equal(second.authority.certificatePem, certificate);
  assert.deepEqual(second.entries, [entry]);
  assert.equal(entry.selectors.length, 1);
  assert.equal((await stat(directory.state)).mode & 0o777, 0o700);
  for (const name of ['authority.pem', 'entry.json', 'lock']) {
    assert.equal((await stat(join(directory.state, name))).mode & 0o777, 0o600, name);
  }
});

test('one state has one authority at a time', async () => {
  await using directory = await openDirectory();
  using _first = await AuthorityState.open(directory.state, domain);
  await assert.rejects(
    AuthorityState.open(directory.state, domain),
    withCode('config_invalid', /another authority/),
  );
});

test('a state that others could read or write, or that is a symbolic link, is refused', async () => {
  await using directory = await openDirectory();
  (await AuthorityState.open(directory.state, domain))[Symbol.dispose]();
  const key = join(directory.state, 'authority.pem');
  await chmod(key, 0o640);
  await assert.rejects(AuthorityState.open(directory.state, domain), withCode('fs_unsafe', /chmod/));
  await chmod(key, 0o600);
  await chmod(directory.state, 0o750);
  await assert.rejects(AuthorityState.open(directory.state, domain), withCode('fs_unsafe', /chmod/));
  await chmod(directory.state, 0o700);
  await symlink(directory.state, `${directory.state}-link`);
  await assert.rejects(
    AuthorityState.open(`${directory.state}-link`, domain),
    withCode('fs_unsafe', /symbolic link/),
  );
  await rename(key, `${key}.real`);
  await symlink(`${key}.real`, key);
  await assert.rejects(AuthorityState.open(directory.state, domain), withCode('fs_unsafe', /symbolic link/));
});

test('a damaged state, or one of another trust domain, is refused and left as it is', async () => {
  await using directory = await openDirectory();
  (await AuthorityState.open(directory.state, domain))[Symbol.dispose]();
  await assert.rejects(
    AuthorityState.open(directory.state, TrustDomain.parse('example.org')),
    withCode('config_invalid', /spike\.ist, not of example\.org/),
  );
  const entries = join(directory.state, 'entry.json');
  for (const text of ['', '[]', '{"version":2,"entries":[]}', '{"version":1,"entries":[{"id":"x"}]}']) {
    await writeFile(entries, text, { mode: 0o600 });
    await assert.rejects(
      AuthorityState.open(directory.state, domain),
      withCode('config_invalid', /entry\.json/),
    );
    assert.equal(await readFile(entries, 'utf8'), text);
  }
  const key = join(directory.state, 'authority.pem');
  const text = await readFile(key, 'utf8');
  for (const damaged of [
    '',
    text.slice(0, text.length / 2),
    text.slice(text.indexOf('-----BEGIN PRIVATE')),
  ]) {
    await writeFile(key, damaged);
    await assert.rejects(
      AuthorityState.open(directory.state, domain),
      withCode('config_invalid', /authority\.pem/),
    );
  }
});
