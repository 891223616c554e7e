import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { learnCommand, searchPrinted } from './known/command.ts';
import { watched } from './known/call.ts';
import { learn, learnBytes, learnForms } from './known/known.ts';
import { searchWritten } from './known/place.ts';
import { Scanner } from './known/scanner.ts';
import { openScratch } from './system.ts';

/* The search that every system of every test goes through at its end: what is planted is found, and what is in its place is not. */

const phrase = (): string => `Wombat+${randomBytes(9).toString('hex')}/"é"`;
const between = (form: string | Uint8Array): Buffer =>
  Buffer.concat([Buffer.from('before '), Buffer.from(form), Buffer.from(' after')]);

test('a text that is planted is found in every form, with file, offset and kind', async () => {
  await using scratch = await openScratch();
  const text = phrase();
  learn('value', text);
  const forms: Readonly<Record<string, string | Uint8Array>> = {
    plain: text,
    escaped: JSON.stringify(text).slice(1, -1),
    url: encodeURIComponent(text),
    hex: Buffer.from(text).toString('hex'),
    'hex in capitals': Buffer.from(text).toString('hex').toUpperCase(),
    wide: Buffer.from(text, 'utf16le'),
    base64: Buffer.from(text).toString('base64'),
    'base64 with something before it': Buffer.from(`{${text}`).toString('base64'),
    base64url: Buffer.from(text).toString('base64url'),
    'cut off': text.slice(0, 64),
  };
  for (const [name, form] of Object.entries(forms)) {
    const path = join(scratch.path, 'planted.log');
    await writeFile(path, between(form));
    await assert.rejects(searchWritten(scratch.path), (error: Error) => {
      assert.match(error.message, /^a leak:\nvalue in \S+\/planted\.log at \d+$/u, name);
      return !error.message.includes(text);
    });
    await rm(path);
    if (typeof form !== 'string') continue;
    await assert.rejects(searchWritten(scratch.path, { 'the log': `before ${form}` }), /in the log at/u);
  }
  await searchWritten(scratch.path, { 'the log': 'nothing' });
});

test('bytes are found as they are, in hex and in both base64', async () => {
  await using scratch = await openScratch();
  const bytes = randomBytes(32);
  learnBytes('share', bytes);
  const texts = (['hex', 'base64', 'base64url'] as const).map((form) => bytes.toString(form));
  for (const form of [bytes, ...texts, `x${bytes.toString('hex').toUpperCase()}`]) {
    await writeFile(join(scratch.path, 'planted'), between(form));
    await assert.rejects(searchWritten(scratch.path), /share in \S+ at \d/u);
  }
});

test('what lies in its place is learnt there, and is found anywhere else', async () => {
  await using scratch = await openScratch();
  const secret = randomBytes(32).toString('hex');
  const token = `spk_${'a'.repeat(16)}_${'b'.repeat(51)}q_${'c'.repeat(8)}`;
  const placed = {
    'pilot/token.json': JSON.stringify({ token }),
    'recovery/spike.recovery.1.txt': `spike:1:${secret}`,
  };
  for (const [path, text] of Object.entries(placed)) {
    await mkdir(join(scratch.path, path, '..'), { recursive: true });
    await writeFile(join(scratch.path, path), text);
  }
  await searchWritten(scratch.path);
  await writeFile(join(scratch.path, 'pilot', 'trace.log'), `{"share":"${secret}"}`);
  await assert.rejects(searchWritten(scratch.path), /share in \S+\/pilot\/trace\.log at 10$/u);
  await assert.rejects(
    searchWritten(join(scratch.path, 'pilot'), { log: `x ${token}` }),
    /token in log at 2/u,
  );
});

test('the keys that sign tokens are learnt in the JSON that the authority keeps, in any encoding', async () => {
  await using scratch = await openScratch();
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  await mkdir(join(scratch.path, 'authority'));
  await writeFile(join(scratch.path, 'authority', 'jwt.json'), JSON.stringify({ keys: [{ privateKeyPem }] }));
  await searchWritten(scratch.path);
  const { d = '' } = privateKey.export({ format: 'jwk' });
  await assert.rejects(searchWritten(scratch.path, { log: `d=${d}` }), /private key in log at 2/u);
});

test('of a directory of a test, what systems write there is searched', async () => {
  const value = phrase();
  learn('value', value);
  await assert.rejects(async () => {
    await using scratch = await openScratch();
    await writeFile(join(scratch.path, 'mine'), value);
    await writeFile(join(scratch.path, 'alerts.jsonl'), between(value));
  }, /a leak:\nvalue in \S+\/alerts\.jsonl at 7$/u);
});

test('a command may print what it was asked for, and nothing else of what this process knows', () => {
  const [value, password] = [phrase(), phrase()];
  learnCommand({ words: ['spike', 'secret', 'put', 'a/b', `pass=${value}`] });
  learnCommand({ words: ['spike', 'login', '--password-stdin'], input: `${password}\n` });
  searchPrinted({ words: ['spike', 'secret', 'get', 'a/b'] }, `pass: ${value}\n`);
  assert.throws(
    () => searchPrinted({ words: ['spike', 'secret', 'list'] }, `pass: ${value}\n`),
    /printed value at 6/u,
  );
  assert.throws(() => searchPrinted({ words: ['spike', 'secret', 'get'] }, password), /printed password/u);
  const once = phrase().replaceAll(/[^\w]/gu, '');
  learnForms(`One-time password: ${once}\n`);
  searchPrinted({ words: ['spike', 'admin', 'create', 'ann'] }, once);
  assert.throws(() => searchPrinted({ words: ['spike', 'admin', 'list'] }, once), /printed password/u);
});

test('an error that shows what was sent is a failure, however deep it lies', async () => {
  const value = phrase();
  const fails = async (_input: unknown): Promise<void> => {
    const cause = new SpikeError('store_failed', 'no', { detail: { row: `{"x":"${value}"}` } });
    await Promise.reject(new Error('it failed', { cause }));
  };
  const quiet = async (_input: unknown): Promise<void> => await Promise.reject(new Error('it failed'));
  await assert.rejects(watched({ quiet }).quiet({ values: { x: value } }), /^Error: it failed$/u);
  await assert.rejects(watched({ fails }).fails({ values: { x: value } }), /a leak: an error shows value/u);
});

test('the scanner finds in any bytes what the search for each single one finds', () => {
  const letters = 'ab';
  const random = (length: number): string =>
    Array.from(randomBytes(length), (byte) => letters[byte % letters.length]).join('');
  for (let round = 0; round < 50; round++) {
    const patterns = Array.from({ length: 20 }, (_, index) => ({
      name: String(index),
      bytes: Buffer.from(random(12 + (index % 5))),
    }));
    const text = Buffer.from(random(2_000));
    const found = new Map(new Scanner(patterns).find(text).map(({ name, offset }) => [name, offset]));
    for (const { name, bytes } of patterns) assert.equal(found.get(name) ?? -1, text.indexOf(bytes), name);
  }
});
