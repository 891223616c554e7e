import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { rolePaths } from '@spike/contract';
import { authorizeAny, openPool, type IdentitySource, type PoolResponse } from '@spike/spiffe';
import { Parts } from './parts.ts';

/* Encryption as a service as the wire has it, byte by byte; what a Go client does with it is tested with the Go client. */

const octets = 'application/octet-stream';
const mostPlaintext = 65_536 - 16;

let parts: Parts;
let root: IdentitySource;

before(async () => {
  parts = await Parts.bootstrapped();
  root = await parts.identity(rolePaths.superuser);
});
after(async () => {
  await parts[Symbol.asyncDispose]();
});

async function ask(
  path: string,
  body: Uint8Array | string,
  contentType = 'application/json',
  source = root,
): Promise<PoolResponse> {
  using pool = openPool({ source, authorize: authorizeAny() });
  const url = `${parts.nexus.url}/v1/cipher/${path}`;
  return await pool.request({
    method: 'POST',
    url,
    headers: { 'Content-Type': contentType },
    body,
    timeoutMs: 10_000,
  });
}

const jsonOf = ({ body }: PoolResponse): Record<string, unknown> =>
  JSON.parse(body.toString('utf8')) as Record<string, unknown>;

test('plain bytes go in, one piece comes out, and it comes back as it was', async () => {
  const plaintext = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const encrypted = await ask('encrypt', plaintext, octets);
  assert.equal(encrypted.status, 200);
  assert.equal(encrypted.headers['content-type'], octets);
  assert.equal(encrypted.body.length, 1 + 12 + plaintext.length + 16);
  assert.equal(encrypted.body[0], 1);
  const decrypted = await ask('decrypt', encrypted.body, octets);
  assert.equal(decrypted.headers['content-type'], octets);
  assert.deepEqual(decrypted.body, plaintext);
});

test('JSON has the same parts in base64, and both ways open what the other made', async () => {
  const plaintext = Buffer.from('über alles');
  const { version, nonce, ciphertext } = jsonOf(
    await ask('encrypt', JSON.stringify({ plaintext: plaintext.toString('base64') })),
  );
  assert.equal(version, 1);
  const piece = Buffer.concat([
    Uint8Array.of(1),
    Buffer.from(String(nonce), 'base64'),
    Buffer.from(String(ciphertext), 'base64'),
  ]);
  assert.deepEqual((await ask('decrypt', piece, octets)).body, plaintext);
  const request = JSON.stringify({ version, nonce, ciphertext, algorithm: 'AES-256-GCM' });
  assert.deepEqual(jsonOf(await ask('decrypt', request)), { plaintext: plaintext.toString('base64') });
  // Anything behind the type makes it JSON, as in the original.
  assert.equal((await ask('decrypt', piece, `${octets}; charset=binary`)).status, 400);
});

test('nothing at all is encrypted, too, and so is the largest text that is taken; one byte more is not', async () => {
  for (const size of [0, mostPlaintext]) {
    const encrypted = await ask('encrypt', new Uint8Array(size), octets);
    assert.equal(encrypted.status, 200);
    assert.equal((await ask('decrypt', encrypted.body, octets)).body.length, size);
  }
  const plaintext = Buffer.alloc(mostPlaintext + 1);
  assert.equal((await ask('encrypt', plaintext, octets)).status, 400);
  const refused = await ask('encrypt', JSON.stringify({ plaintext: plaintext.toString('base64') }));
  assert.equal(refused.status, 400);
  assert.match(String(jsonOf(refused)['message']), /at most 65520 bytes/);
});

test('what cannot be opened is 400, in the form of its route', async () => {
  const { body } = await ask('encrypt', Buffer.from('x'), octets);
  const changed = Buffer.from(body);
  changed[20] = (changed[20] ?? 0) ^ 1;
  for (const [what, err] of [
    [changed, 'crypto_decryption_failed'],
    [body.subarray(0, 13), 'crypto_decryption_failed'],
    [body.subarray(0, 12), 'api_bad_request'],
    [Buffer.alloc(0), 'api_bad_request'],
    [Buffer.from([2, ...body.subarray(1)]), 'api_bad_request'],
  ] as const) {
    const answer = await ask('decrypt', what, octets);
    assert.equal(answer.status, 400);
    assert.equal(answer.headers['content-type'], 'application/json');
    const { err: told, plaintext, trail } = jsonOf(answer);
    assert.deepEqual([told, plaintext], [err, null]);
    assert.match(String(trail), /^[0-9a-f]{32}$/);
  }
});

test('the audit says who did what, and nothing of the content is left on the disk', async () => {
  const mark = 'to be found nowhere 7261';
  const encrypted = await ask('encrypt', Buffer.from(mark), octets);
  await ask('decrypt', encrypted.body, octets);
  await ask('encrypt', JSON.stringify({ plaintext: Buffer.from(mark).toString('base64') }));
  let all = '';
  for (const entry of await readdir(parts.home, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) all += await readFile(join(entry.parentPath, entry.name), 'latin1');
  for (const action of ['cipher.encrypt', 'cipher.decrypt'])
    assert.match(
      all,
      new RegExp(`"action":"${action}"[^}]*"path":"spike/system/cipher/exec"[^}]*"outcome":"ok"`),
    );
  const secret = [Buffer.from(mark), encrypted.body.subarray(13)];
  for (const bytes of secret)
    for (const encoding of ['latin1', 'base64', 'hex'] as const)
      assert.equal(all.includes(bytes.toString(encoding)), false, encoding);
});

test('who may not is told so before a byte of the body counts', async () => {
  const stranger = await parts.identity('/workload/app');
  for (const path of ['encrypt', 'decrypt']) {
    assert.equal((await ask(path, 'no json', 'application/json', stranger)).status, 401);
    assert.equal((await ask(path, '', octets, stranger)).status, 401);
  }
});
