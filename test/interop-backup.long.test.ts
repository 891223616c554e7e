import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { generateIdentity, openStream, parseIdentities, parseRecipient, sealStream } from '@spike/backup/age';
import { buildGoAge } from './interop/build.ts';
import { openScratch } from './system.ts';

const mostBytes = 64 * 1024 * 1024;
const sizes = [0, 1, 64 * 1024, 64 * 1024 + 1, 5_000_000];

/** Runs age's own library; rejects with what it says. */
async function age(
  program: string,
  args: readonly string[],
  input: Uint8Array = new Uint8Array(),
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const child = execFile(
    program,
    args,
    { encoding: 'buffer', maxBuffer: mostBytes },
    (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(stderr.toString()));
    },
  );
  child.stdin?.on('error', () => undefined);
  child.stdin?.end(input);
  return await promise;
}

async function* feed(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 100_000) yield Uint8Array.from(bytes.subarray(at, at + 100_000));
}

async function seal(text: Uint8Array, recipients: readonly string[]): Promise<Buffer> {
  const sealed = await sealStream(ReadableStream.from(feed(text)), recipients.map(parseRecipient));
  return Buffer.concat(await Array.fromAsync(sealed));
}

async function open(sealed: Uint8Array, identities: readonly string[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(await openStream(feed(sealed), identities)));
}

test('filippo.io/age opens what is sealed here, with a key from here and with one of its own', async () => {
  await using scratch = await openScratch();
  const program = await buildGoAge();
  const ours = await generateIdentity();
  const theirs = (await age(program, ['key'])).toString();
  const theirRecipient = /age1pq1[0-9a-z]+/.exec(theirs)?.[0] ?? '';
  const files = { ours: join(scratch.path, 'ours.key'), theirs: join(scratch.path, 'theirs.key') };
  await writeFile(files.ours, `# made here\n${ours.secret}\n`);
  await writeFile(files.theirs, theirs);
  for (const size of sizes) {
    const text = randomBytes(size);
    const sealed = await seal(text, [ours.recipient, theirRecipient]);
    for (const file of Object.values(files)) {
      assert.ok((await age(program, ['open', file], sealed)).equals(text), `${size} bytes`);
    }
    const changed = Buffer.from(sealed);
    changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
    await assert.rejects(age(program, ['open', files.ours], changed));
  }
});

test('what filippo.io/age seals opens here, and what it seals to others, or cuts off, does not', async () => {
  await using scratch = await openScratch();
  const program = await buildGoAge();
  const ours = await generateIdentity();
  const theirs = parseIdentities((await age(program, ['key'])).toString());
  const theirText = (await age(program, ['key'])).toString();
  const other = /age1pq1[0-9a-z]+/.exec(theirText)?.[0] ?? '';
  const file = join(scratch.path, 'recipients');
  await writeFile(file, `# two\n${ours.recipient}\n${other}\n`);
  for (const size of sizes) {
    const text = randomBytes(size);
    const sealed = await age(program, ['seal', file], text);
    assert.ok((await open(sealed, [ours.secret])).equals(text), `${size} bytes`);
    assert.ok((await open(sealed, parseIdentities(theirText))).equals(text));
    await assert.rejects(open(sealed, theirs), { code: 'crypto_decryption_failed' });
    await assert.rejects(open(sealed.subarray(0, -1), [ours.secret]), { code: 'data_invalid_input' });
  }
});
