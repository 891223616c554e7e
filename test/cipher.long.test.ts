import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Parts } from './parts.ts';

/* `spike cipher` from the outside. */

let parts: Parts;
before(async () => {
  parts = await Parts.bootstrapped();
});
after(async () => {
  await parts[Symbol.asyncDispose]();
});

const spike = (...args: string[]) =>
  parts.run('pilot', ['cipher', ...args], {
    SPIKE_NEXUS_API_URL: parts.nexus.url,
  });

test('encrypts from file to file and back, for its owner alone', async () => {
  const directory = join(parts.home, 'cipher');
  await mkdir(directory);
  const [plain, encrypted, back] = ['plain', 'encrypted', 'back'].map((name) => join(directory, name));
  assert(plain !== undefined && encrypted !== undefined && back !== undefined);
  const bytes = Buffer.from([0, 255, 10, 13, 10]);
  await writeFile(plain, bytes);
  const done = await spike('encrypt', '-f', plain, '-o', encrypted);
  assert.deepEqual([done.code, done.stdout], [0, '']);
  assert.equal((await readFile(encrypted)).length, bytes.length + 29);
  assert.equal((await stat(encrypted)).mode & 0o777, 0o600);
  assert.equal((await spike('decrypt', '--file', encrypted, '--out', back)).code, 0);
  assert.deepEqual(await readFile(back), bytes);
  // What fails leaves the file as it was, and nothing beside it.
  const { code, stderr } = await spike('decrypt', '--file', plain, '--out', back);
  assert.notEqual(code, 0);
  assert.match(stderr, /nothing that was encrypted here/);
  assert.deepEqual(await readFile(back), bytes);
  assert.deepEqual((await readdir(directory)).toSorted(), ['back', 'encrypted', 'plain']);
});

test('prints all parts in base64, which it takes back as flags and as JSON', async () => {
  const text = Buffer.from('4111').toString('base64');
  const { stdout } = await spike('encrypt', '--plaintext', text);
  const found = /^version: 1\nnonce: (\S{16})\nciphertext: (\S+)\n$/.exec(stdout);
  assert(found?.[1] !== undefined && found[2] !== undefined, stdout);
  const again = await spike('decrypt', '--version', '1', '--nonce', found[1], '--ciphertext', found[2]);
  assert.equal(again.stdout, '4111');
  const envelope = join(parts.home, 'envelope.json');
  assert.equal((await spike('encrypt', '--plaintext', text, '--format', 'json', '-o', envelope)).code, 0);
  assert.equal((await spike('decrypt', '-f', envelope)).stdout, '4111');
  assert.match((await spike('decrypt', '--nonce', found[1])).stderr, /both nonce and ciphertext/);
});
