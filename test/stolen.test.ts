import assert from 'node:assert/strict';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { authorityOf, openCaller, openWorkload } from './caller.ts';
import { formsOf, search } from './search.ts';
import { System } from './system.ts';

/** Words that are nowhere else, one for each kind of thing that is written. */
const words = {
  tenant: 'zebrafish-tenant',
  leaf: 'walrus-leaf',
  field: 'narwhal-field',
  value: 'Okapi-Value-42',
  prompted: 'Quokka-Prompted-Value',
  policy: 'axolotl-policy',
  pattern: 'capybara-pattern',
  identity: 'pangolin-identity',
} as const;

async function assertPrivate(directory: string): Promise<void> {
  for (const name of ['.', ...(await readdir(directory, { recursive: true }))]) {
    const path = join(directory, name);
    const status = await lstat(path);
    const mode = status.mode & 0o777;
    assert.equal(mode, status.isDirectory() ? 0o700 : 0o600, `${path} is ${mode.toString(8)}`);
  }
}

test('the search finds what is there, in every form', () => {
  const text = words.value;
  const around = Buffer.from(`before ${text} after`);
  for (const [form, bytes] of Object.entries({
    plain: around,
    wide: Buffer.from(around.toString('utf8'), 'utf16le'),
    base64: Buffer.from(around.toString('base64')),
    shifted: Buffer.from(around.subarray(1).toString('base64')),
    shiftedTwice: Buffer.from(around.subarray(2).toString('base64')),
    hex: Buffer.from(around.toString('hex')),
  })) {
    assert.ok(
      formsOf(text).some((needle) => bytes.includes(needle)),
      form,
    );
  }
});

test('a stolen store holds no path, name, value, policy or identity, and all files are their owner’s alone', async () => {
  await using system = await System.start();
  const path = `tenants/${words.tenant}/${words.leaf}`;
  {
    await using superuser = await openCaller(system);
    await superuser.call.putPolicy({
      name: words.policy,
      spiffeidPattern: `^spiffe://spike\\.ist/workload/${words.identity}$`,
      pathPattern: `(tenants/${words.tenant}/.*|${words.pattern}/.*)`,
      permissions: ['read', 'write', 'list'],
    });
    await using workload = await openWorkload(system, `/workload/${words.identity}`);
    for (let version = 1; version <= 12; version++) {
      await workload.put(path, { [words.field]: `${words.value} ${version}` });
    }
    await workload.put(`${words.pattern}/${words.leaf}`, { [words.field]: words.value });
    await workload.delete(path, { versions: [11] });
    assert.equal((await workload.get(path)).field(words.field).expose(), `${words.value} 12`);
    const entries = await authorityOf(system).listEntries();
    assert.ok(entries.some(({ spiffeId }) => spiffeId.endsWith(words.identity)));
  }
  await system.mustSpike(['secret', 'put', `${path}/prompted`, 'pass=-'], { input: words.prompted });
  await assertPrivate(system.home.root);
  const data = join(system.home.nexus, 'data');
  const all = Object.values(words);
  assert.deepEqual(await search(data, all), [], 'while it runs, with its journal');
  await system.kill();
  assert.deepEqual(await search(data, all), [], 'as a kill leaves it');

  await using again = await System.start({ home: system.home.root });
  const shown = await again.mustSpike(['secret', 'get', `${path}/prompted`, 'pass']);
  assert.equal(shown, `${words.prompted}\n`);
  await again.stop();
  assert.deepEqual(await search(data, all), [], 'after a clean stop');
  // The audit names paths in clear, which shows that the search would have found them; values are nowhere at all.
  assert.ok((await search(system.home.audit, [words.leaf])).length > 0);
  assert.deepEqual(await search(system.home.root, [words.value, words.prompted, words.field]), []);
  for (const { output } of [system, again]) {
    for (const word of [words.value, words.prompted]) assert.ok(!output.includes(word));
  }
  await assertPrivate(system.home.root);
});
