import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openSqliteStore } from '@spike/store';
import { buildShim } from './fault/build.ts';
import { Control } from './fault/control.ts';
import { Journal, writeFiles, type Mercy } from './fault/journal.ts';
import { cutSystem } from './fault/power.ts';
import { Random } from './random.ts';
import { openScratch, repository, until } from './system.ts';

const cuts = 120;
const systemCuts = 6;
const enoughBytes = 60 * 1024 * 1024;
/** A slow disk, or a machine with other things to do. */
const writeMs = 300_000;
const mercies: readonly Mercy[] = ['nothing', 'something', 'everything'];
const writer = join(repository, 'package', 'store', 'src', 'sqlite', 'testing', 'write.ts');

test(`${cuts} power cuts, each with another part of what was not synced, lose no acknowledged write`, async (t) => {
  const { lost, broken } = await cutOften(t, []);
  assert.deepEqual(lost, []);
  assert.deepEqual(broken, []);
});

test('with synchronous = OFF the same power cuts are found to lose acknowledged writes', async (t) => {
  const { lost, broken } = await cutOften(t, [join(repository, 'test', 'fault', 'broken', 'unsynced.ts')]);
  t.diagnostic(`${lost.length} cuts lost writes, ${broken.length} left a damaged store`);
  assert(lost.length + broken.length > cuts / 10, 'it is found that they are lost');
});

test('a system whose power is cut explains on what is left all that it had answered', async (t) => {
  assert.deepEqual(await cutSystem(t, systemCuts, ['something', 'nothing', 'everything']), []);
});

test('with synchronous = OFF such a system is found to have lost what it had answered', async (t) => {
  const preload = [join(repository, 'test', 'fault', 'broken', 'unsynced.ts')];
  const wrong = await cutSystem(t, 2, ['nothing'], { preload });
  for (const problem of wrong) t.diagnostic(problem);
  assert(wrong.length > 0);
});

interface Findings {
  /** Cuts after which a write was gone that had been acknowledged. */
  readonly lost: readonly string[];
  /** Cuts after which half a commit was there, or the store did not open or was not whole. */
  readonly broken: readonly string[];
}

/** Lets a store be written for a while, then cuts the power at so many moments of that while. */
async function cutOften(t: TestContext, preload: readonly string[]): Promise<Findings> {
  const random = new Random();
  await using scratch = await openScratch();
  const journal = await recordWriting(scratch.path, preload);
  const { moments } = journal;
  t.diagnostic(`seed ${random.seed}, ${moments.length} changes and syncs`);
  const lost: string[] = [];
  const broken: string[] = [];
  let acknowledged = 0;
  for (let cut = 0; cut < cuts; cut++) {
    const moment = moments[random.integer(0, moments.length - 1)] ?? 0;
    const mercy = mercies[cut % mercies.length] ?? 'nothing';
    const directory = join(scratch.path, `cut-${cut}`);
    await writeFiles(directory, journal.cut(moment, mercy, random));
    const names = journal.saidBy(moment).split('\n').slice(0, -1);
    const found = await findMissing(join(directory, 'store'), names.slice(1)).catch((error: unknown) => {
      broken.push(`cut ${cut} at ${moment} that left ${mercy}: ${String(error)}`);
      return [];
    });
    acknowledged = Math.max(acknowledged, names.length - 1);
    if (found.length > 0)
      lost.push(`cut ${cut} at ${moment} that left ${mercy}: ${found.length} of ${names.length - 1}`);
  }
  t.diagnostic(`up to ${acknowledged} acknowledged writes`);
  return { lost, broken };
}

/** The acknowledged pairs that are not there. Throws when one is there by half, and when the store is not whole. */
async function findMissing(directory: string, names: readonly string[]): Promise<readonly string[]> {
  const signal = AbortSignal.timeout(60_000);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await using store = await openSqliteStore({ directory, signal });
  assert.deepEqual((await store.verify(signal)).problems, []);
  const rows = await store.list('secret', new Uint8Array(), { limit: 10_000 });
  const found = new Set(rows.map(({ key }) => Buffer.from(key).toString('utf8')));
  for (const name of found) {
    const other = `${name.startsWith('a') ? 'b' : 'a'}${name.slice(1)}`;
    assert(found.has(other), `${name} is there by half`);
  }
  return names.filter((name) => !found.has(`a${name}`));
}

/** Eight writers write pairs until they are killed. */
async function recordWriting(directory: string, preload: readonly string[]): Promise<Journal> {
  using control = new Control(join(directory, 'control'));
  control.recording = true;
  const path = join(directory, 'journal');
  const root = join(directory, 'root');
  await mkdir(root);
  const child = spawn(
    process.execPath,
    [...preload.flatMap((module) => ['--import', module]), writer, join(root, 'store'), '0'],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: {
        ...process.env,
        LD_PRELOAD: await buildShim(directory),
        FAULT_CONTROL: control.path,
        FAULT_ROOT: root,
        FAULT_JOURNAL: path,
      },
    },
  );
  const closed = once(child, 'close');
  try {
    await until(
      'enough was written',
      () => {
        assert.equal(child.exitCode, null, 'the writers go on');
        return control.recorded > enoughBytes;
      },
      writeMs,
    );
  } finally {
    child.kill('SIGKILL');
    await closed;
  }
  return await Journal.read(path);
}
