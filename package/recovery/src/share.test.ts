import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { SpikeError } from '@spike/error';
import fc from 'fast-check';
import { readShareFiles, writeShareFiles } from './share-file.ts';
import { formatShare, parseShare, type RecoveryShare } from './share-text.ts';

const share = fc.record(
  {
    id: fc.integer({ min: 1, max: 255 }),
    value: fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 32, maxLength: 32 }),
  },
  { noNullPrototype: true },
);

test('every share is read back from its text', () => {
  fc.assert(fc.property(share, (wanted) => assert.deepEqual(parseShare(`${formatShare(wanted)}\n`), wanted)));
});

test('what is not a share is refused with what is wrong about it, and without being repeated', () => {
  const good = formatShare({ id: 1, value: Array.from({ length: 32 }, () => 7) });
  const cases: readonly (readonly [string, RegExp])[] = [
    ['', /no recovery share/],
    [' \n', /no recovery share/],
    [good.slice(1), /begins otherwise/],
    [good.replace('spike', 'other'), /begins otherwise/],
    [`${good}0`, /65 hexadecimal digits instead of 64/],
    [good.slice(0, -1), /63 hexadecimal digits instead of 64/],
    [good.replace('0707', '07x7'), /something else than hexadecimal/],
    [good.replace(':1:', ':0:'), /whole number from 1/],
    [good.replace(':1:', ':1001:'), /whole number from 1/],
    [good.replace(':1:', ':-1:'), /whole number from 1/],
    [good.replace(':1:', ':1'), /three parts/],
    [`${good}:`, /three parts/],
    [`${good}${good}`, /one at a time/],
    [`${good}\n${good}`, /one at a time/],
    [`spike:1:${'0'.repeat(64)}`, /nothing but zeros/],
    ['age-encryption.org/v1\n-> X25519 0707', /encrypted: decrypt it first/],
    ['-----BEGIN AGE ENCRYPTED FILE-----', /encrypted: decrypt it first/],
  ];
  for (const [text, reason] of cases) {
    assert.throws(
      () => parseShare(text),
      (error: unknown) =>
        error instanceof SpikeError &&
        error.code === 'data_invalid_input' &&
        reason.test(error.message) &&
        !error.message.includes('0707'),
      text,
    );
  }
  assert.deepEqual(parseShare(good.toUpperCase().replace('SPIKE', 'spike')), parseShare(good));
});

const make = (id: number, fill = id): RecoveryShare => ({
  id,
  value: Array.from({ length: 32 }, () => fill),
});

async function scratch(context: TestContext): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'spike-recovery-'));
  context.after(() => rm(root, { recursive: true, force: true }));
  return join(root, 'recovery');
}

test('files of shares are private, may be written again, and are read back', async (context) => {
  const directory = await scratch(context);
  const shares = [make(1), make(2), make(3)];
  assert.deepEqual(await readShareFiles(directory), []);
  await writeShareFiles(directory, shares);
  await writeShareFiles(directory, shares);
  assert.deepEqual(
    await readdir(directory),
    [1, 2, 3].map((id) => `spike.recovery.${id}.txt`),
  );
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  assert.equal((await stat(join(directory, 'spike.recovery.2.txt'))).mode & 0o777, 0o600);
  assert.deepEqual(await readShareFiles(directory), shares);
  await chmod(directory, 0o755);
  await assert.rejects(readShareFiles(directory), { code: 'fs_unsafe' });
  await assert.rejects(writeShareFiles(directory, shares), { code: 'fs_unsafe' });
});

test('shares of another instance are replaced only when that is wanted, and then all of them', async (context) => {
  const directory = await scratch(context);
  const old = [make(1), make(2), make(3), make(4)];
  await writeShareFiles(directory, old);
  for (const others of [
    [make(1, 9), make(2), make(3), make(4)],
    [make(1), make(2), make(3)],
  ]) {
    await assert.rejects(writeShareFiles(directory, others), {
      code: 'entity_version_conflict',
      message: /move them away first/,
    });
    assert.deepEqual(await readShareFiles(directory), old);
  }
  await writeFile(join(directory, '.spike.recovery.9.txt.new'), 'left by a crash', { mode: 0o600 });
  await writeShareFiles(directory, [make(1, 9), make(2, 8)], { replace: true });
  assert.deepEqual(await readShareFiles(directory), [make(1, 9), make(2, 8)]);
  assert.equal((await readdir(directory)).length, 2);
});

test('when the new files cannot all be written, all old ones stay', async (context) => {
  const directory = await scratch(context);
  const old = [make(1), make(2), make(3)];
  await writeShareFiles(directory, old);
  // Where the second file is to be written first there is a directory that cannot be replaced.
  await mkdir(join(directory, '.spike.recovery.2.txt.new', 'full'), { recursive: true });
  await assert.rejects(writeShareFiles(directory, [make(1, 9), make(2, 9)], { replace: true }));
  assert.deepEqual(await readShareFiles(directory), old);
});

test('a damaged file is named, and left out where somebody wants to go on without it', async (context) => {
  const directory = await scratch(context);
  await writeShareFiles(directory, [make(1), make(2), make(3)]);
  const damaged = join(directory, 'spike.recovery.2.txt');
  await writeFile(damaged, 'spike:2:00');
  await assert.rejects(readShareFiles(directory), { message: /spike\.recovery\.2\.txt: .*2 hexadecimal/ });
  const problems: string[] = [];
  const left = await readShareFiles(directory, ({ message }) => void problems.push(message));
  assert.deepEqual(left, [make(1), make(3)]);
  assert.equal(problems.length, 1);
  await writeFile(damaged, 'x'.repeat(300));
  await assert.rejects(readShareFiles(directory), { code: 'fs_unsafe' });
});
