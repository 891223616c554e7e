import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { BackupParser, BackupWriter } from '@spike/backup';
import { generateIdentity, parseRecipient, sealStream, type Identity } from '@spike/backup/age';
import { rehearse } from '../testing/invocation.ts';
import { prepareBackup } from './prepare.ts';
import { BackupProblem } from './problem.ts';
import { sampleReport } from './testing/report.ts';
import type { Report } from './send.ts';

const instance = '8c9e5b1e-6a35-4a55-9f0f-2d9f7f1f6a10';
const minute = 60_000;

function write(createdAt: number, of = instance): Buffer {
  const writer = new BackupWriter();
  const digests = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));
  return Buffer.concat([
    writer.header({
      instance: of,
      createdAt,
      release: '0.1.0',
      schema: 1,
      suite: 1,
      revision: 7,
      keyringEpoch: 1,
      recoverable: true,
      recovery: { threshold: 2, count: 3, generation: 1, digests },
    }),
    writer.head(7, new Uint8Array(200).fill(5)),
    writer.trailer((digest) => ({ key: 1, mac: Uint8Array.from(digest) })).bytes,
  ]);
}

async function seal(bytes: Uint8Array, recipient: string): Promise<Buffer> {
  const sealed = await sealStream(ReadableStream.from([bytes]), [parseRecipient(recipient)]);
  return Buffer.concat(await Array.fromAsync(sealed));
}

/** A Nexus that gives a backup and opens what it is sent, and a directory with an identity. */
async function open(context: TestContext, found: Partial<Report> = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'spike-prepare-'));
  context.after(() => rm(directory, { recursive: true }));
  const identity = await generateIdentity();
  const key = join(directory, 'key');
  await writeFile(key, `${identity.secret}\n`, { mode: 0o600 });
  const asked: string[] = [];
  const note = <T>(name: string, answer: T) => {
    asked.push(name);
    return Promise.resolve(answer);
  };
  const createdAt = new Date().toISOString();
  const begun = { id: 'b', instance, createdAt, revision: 7, estimatedBytes: 1 };
  const sent: Uint8Array[] = [];
  const report = () => {
    const frames = new BackupParser().push(Buffer.concat(sent.splice(0)));
    const trailer = frames.find((frame) => frame.kind === 'trailer')?.trailer;
    const digest = Buffer.from(trailer?.digest ?? []).toString('hex');
    return { ...sampleReport, digest, instance, opened: 0, ...found };
  };
  const client = {
    beginBackup: () => note('begin', begun),
    readBackup: () => note('read', { data: write(Date.parse(createdAt)), last: true }),
    endBackup: () => note('end', {}),
    cancelBackup: () => note('cancel', {}),
    openBackup: ({ start }: { start: Uint8Array }) => {
      sent.splice(0, sent.length, start);
      return note('open', { id: 'r', instance, offset: 0, threshold: 2, remaining: 0 });
    },
    feedBackup: ({ data }: { data: Uint8Array }) => {
      sent.push(data);
      return note('feed', { offset: 0, report: report() });
    },
  };
  const session = { client, call: {} };
  const { invocation, written } = rehearse();
  const file = join(directory, 'today.age');
  const prepare = (wanted: { readonly identity?: string[]; readonly recipient?: string[] } = {}) =>
    prepareBackup(invocation, session, {
      file,
      instance,
      identity: [key],
      recipient: [],
      recipientsFile: [],
      ...wanted,
    });
  return { directory, identity, file, asked, written, prepare };
}

async function place({ file, identity }: { file: string; identity: Identity }, bytes: Uint8Array) {
  await writeFile(file, await seal(bytes, identity.recipient));
}

test('a new backup is sealed to the identity and opened from its file; the same again takes what is there', async (context) => {
  const scene = await open(context, { behind: 3 });
  const { file, asked, written, prepare } = scene;
  const facts = await prepare();
  const bytes = await readFile(file);
  assert.deepEqual([facts.path, facts.size], [file, bytes.length]);
  assert.equal(facts.sha256, createHash('sha256').update(bytes).digest('hex'));
  assert.deepEqual(asked.splice(0), ['begin', 'read', 'end', 'open', 'feed']);
  assert.match(written.err, /^The backup, .*today\.age .* opens as a whole\.$/m);
  assert.doesNotMatch(written.err, /transactions/);
  assert.deepEqual(await prepare(), facts);
  assert.deepEqual(asked, ['open', 'feed'], 'none is taken');
  assert.match(written.err, /The backup that was there.*\n3 transactions were made since/);
  assert.deepEqual(await readFile(file), bytes);
});

test('what is too old, to come, of another instance, of somebody else or no backup is refused, and left as it is', async (context) => {
  const scene = await open(context);
  const { file, asked, prepare } = scene;
  const now = Date.now();
  const conflict = { code: 'entity_version_conflict' };
  const other = await generateIdentity();
  const unfit = [
    [write(now - 61 * minute), conflict],
    [write(now + 61 * minute), conflict],
    [write(now, 'another-instance'), conflict],
    [write(now).subarray(0, -1), { code: 'data_invalid_input' }],
  ] as const;
  for (const [bytes, error] of unfit) {
    await place(scene, bytes);
    const before = await readFile(file);
    await assert.rejects(prepare(), error);
    assert.deepEqual(await readFile(file), before);
  }
  await writeFile(file, await seal(write(now), other.recipient));
  await assert.rejects(prepare(), { code: 'crypto_decryption_failed' });
  await writeFile(file, 'a shopping list');
  await assert.rejects(prepare(), { code: 'data_invalid_input' });
  assert.ok(!asked.includes('begin'));
  await place(scene, write(now - 59 * minute));
  await prepare();
});

test('a backup of which a record does not open, or of which Nexus opened something else, is none', async (context) => {
  for (const found of [{ problems: ['record 3 does not open'] }, { digest: 'ab' }, { whole: false }]) {
    const scene = await open(context, found);
    await place(scene, write(Date.now()));
    await assert.rejects(scene.prepare(), BackupProblem);
  }
});

test('nothing is taken that the identity could not open afterwards', async (context) => {
  const { directory, identity, file, asked, prepare } = await open(context);
  const other = await generateIdentity();
  await assert.rejects(prepare({ identity: [] }), { code: 'data_invalid_input', message: /--identity/ });
  await assert.rejects(prepare({ recipient: [other.recipient] }), { code: 'data_invalid_input' });
  assert.deepEqual([asked, await readdir(directory)], [[], ['key']]);
  const facts = await prepare({ recipient: [other.recipient, identity.recipient] });
  assert.equal(facts.path, file);
});
