import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSpikeError } from '@spike/store/suite';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import {
  generateIdentity,
  mostRecipients,
  openStream,
  parseIdentities,
  parseRecipient,
  parseRecipients,
  recipientOf,
  sealStream,
  shorten,
} from './index.ts';

const refused = isSpikeError('data_invalid_input');
const chunk = 64 * 1024;

const streamOf = (bytes: Uint8Array, step = 10_000): ReadableStream<Uint8Array> =>
  ReadableStream.from(pieces(bytes, step));

function* pieces(bytes: Uint8Array, step = 10_000): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += step) yield Uint8Array.from(bytes.subarray(at, at + step));
}

async function* feed(bytes: Uint8Array, step?: number): AsyncGenerator<Uint8Array> {
  yield* pieces(bytes, step);
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const one of stream) chunks.push(one);
  return Buffer.concat(chunks);
}

async function seal(text: Uint8Array, ...recipients: string[]): Promise<Buffer> {
  return await readAll(await sealStream(streamOf(text), recipients.map(parseRecipient)));
}

test('what is sealed opens for each of its recipients, and for nobody else', async () => {
  const [one, two, other] = [await generateIdentity(), await generateIdentity(), await generateIdentity()];
  assert.ok(one.recipient.startsWith('age1pq1'));
  for (const size of [0, chunk, 3 * chunk + 1]) {
    const text = Buffer.alloc(size, 'text');
    const sealed = await seal(text, one.recipient, two.recipient);
    for (const { secret } of [one, two]) {
      const opened = await readAll(await openStream(feed(sealed, 997), [secret]));
      assert.ok(opened.equals(text), `${size} bytes`);
    }
    const opened = await readAll(await openStream(feed(sealed), [other.secret, two.secret]));
    assert.ok(opened.equals(text));
    await assert.rejects(openStream(feed(sealed), [other.secret]), isSpikeError('crypto_decryption_failed'));
  }
});

test('a recipient without quantum resistance is taken alone, and never beside a hybrid one', async () => {
  const secret = await generateX25519Identity();
  const classical = await identityToRecipient(secret);
  assert.equal(parseRecipient(classical).isHybrid, false);
  const sealed = await seal(Buffer.from('old'), classical);
  assert.equal((await readAll(await openStream(feed(sealed), [secret]))).toString(), 'old');
  const hybrid = (await generateIdentity()).recipient;
  await assert.rejects(seal(Buffer.from('x'), classical, hybrid), refused);
  await assert.rejects(seal(Buffer.from('x')), refused);
  await assert.rejects(seal(Buffer.from('x'), ...Array<string>(mostRecipients + 1).fill(hybrid)), refused);
});

test('a sealed file that is changed or cut off anywhere is refused, at the latest at its end', async () => {
  const { secret, recipient } = await generateIdentity();
  const sealed = await seal(Buffer.alloc(3 * chunk + 5, 1), recipient);
  const open = async (bytes: Uint8Array): Promise<Buffer> => readAll(await openStream(feed(bytes), [secret]));
  const header = sealed.indexOf('\n--- ') + 50;
  const damaged = (thrown: unknown): boolean =>
    refused(thrown) || isSpikeError('crypto_decryption_failed')(thrown);
  for (const at of [0, 10, 21, 22, 30, 100, header - 10, header + 3, header + 20, sealed.length - 1]) {
    const changed = Buffer.from(sealed);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await assert.rejects(open(changed), damaged, `byte ${at}`);
  }
  const wholeChunk = header + 16 + chunk + 16;
  for (const length of [0, 5, 22, 100, header, header + 16, wholeChunk - 1, wholeChunk, sealed.length - 1]) {
    await assert.rejects(open(sealed.subarray(0, length)), damaged, `${length} bytes`);
  }
});

test('a header without an end is given up, however long it goes on', async () => {
  const { secret } = await generateIdentity();
  let given = 0;
  async function* endless(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('age-encryption.org/v1\n-> X ');
    for (;;) {
      given += 1000;
      yield Buffer.alloc(1000, 'A');
    }
  }
  await assert.rejects(openStream(endless(), [secret]), refused);
  assert.ok(given < 200_000);
  for (const text of ['', 'hello', 'age-encryption.org/v2\n', '-----BEGIN AGE ENCRYPTED FILE-----\nYWdl']) {
    await assert.rejects(openStream(feed(Buffer.from(text)), [secret]), refused, text);
  }
});

test('keys are read from files as age writes them, and a mistyped one is refused without being repeated', async () => {
  const { secret, recipient } = await generateIdentity();
  assert.deepEqual(parseIdentities(`# created: today\n# public key: ${recipient}\n\n${secret}\n`), [secret]);
  assert.deepEqual(
    parseRecipients(`# team\n${recipient}\n\n ${recipient} \n`).map(({ text }) => text),
    [recipient, recipient],
  );
  for (const text of [
    '',
    '# nothing\n',
    recipient,
    `${secret}\nhello`,
    secret.toLowerCase(),
    'age-encryption.org/v1\n',
  ]) {
    assert.throws(() => parseIdentities(text), refused);
  }
  for (const text of [
    '',
    'age1',
    'age1pq1',
    `${recipient.slice(0, -1)}q`,
    'ssh-ed25519 AAAA',
    secret,
    'age1\u001b[2J',
  ]) {
    assert.throws(
      () => parseRecipient(text),
      (thrown) => refused(thrown) && !String(thrown).includes('\u001b'),
    );
  }
  const mistyped = `${secret.slice(0, -1)}${secret.endsWith('Q') ? 'P' : 'Q'}`;
  const sealed = await seal(Buffer.from('x'), recipient);
  await assert.rejects(openStream(feed(sealed), [mistyped]), (thrown) => {
    assert.ok(thrown instanceof Error && thrown.cause === undefined);
    return refused(thrown) && !thrown.message.includes(secret.slice(20, 40));
  });
  assert.equal(shorten(recipient).length, 21);
});

test('the recipient of an identity is told by either kind, and a wrong one is not repeated', async () => {
  const { secret, recipient } = await generateIdentity();
  assert.deepEqual(await recipientOf(secret), { text: recipient, isHybrid: true });
  assert.equal((await recipientOf(await generateX25519Identity())).isHybrid, false);
  const wrong = `${secret.slice(0, -1)}${secret.endsWith('Q') ? 'P' : 'Q'}`;
  await assert.rejects(
    recipientOf(wrong),
    (error: Error) => refused(error) && !error.message.includes(wrong),
  );
});
