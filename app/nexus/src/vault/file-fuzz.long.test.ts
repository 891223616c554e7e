import assert from 'node:assert/strict';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { SpikeError } from '@spike/error';
import { openSqliteStore, type Row, type Store } from '@spike/store';

import { OpenInstance } from './instance.ts';
import { createTestInstance, openTestLedger, type TestInstance } from './testing/instance.ts';
import { keyOf, put } from './testing/ledger.ts';

/** `--fuzz N` gives a parser N inputs; a file takes as long as thousands of them. */
const files = Math.ceil(Number(process.env['SPIKE_TEST_FUZZ'] ?? 100_000) / 1000);
const names = Array.from({ length: 60 }, (_, index) => `name-${index}`);
const refusals: readonly string[] = ['store_integrity', 'store_failed', 'crypto_decryption_failed'];

const openStore = (directory: string): Promise<Store> =>
  openSqliteStore({ directory, signal: AbortSignal.timeout(10_000) });

/** A store of sixty secrets, closed: its directory, and what opens it. */
async function makeStore(root: string): Promise<TestInstance> {
  const directory = join(root, 'good');
  await using store = await openStore(directory);
  const made = await createTestInstance(store);
  await using ledger = await openTestLedger(made);
  for (const name of names) await ledger.commit([put(made.instance.vault, name, 1, 'absent')]);
  return made;
}

/** What is read out of it; the code of the refusal where it does not open. */
async function readStore(directory: string, made: TestInstance): Promise<string> {
  await using store = await openStore(directory);
  const head = await store.head();
  if (head === undefined) return 'empty';
  using instance = OpenInstance.open(made.rootKey, head.bytes);
  await using ledger = await openTestLedger({ ...made, store, instance });
  let refused = 0;
  let absent = 0;
  for (const name of names) {
    try {
      const row = await ledger.get('secret', keyOf(instance.vault, name));
      if (row === undefined) absent += 1;
      else assert.equal(Buffer.from(instance.vault.open('secret', row)).toString(), `${name}@1`);
    } catch (error) {
      if (!(error instanceof SpikeError) || !refusals.includes(error.code)) throw error;
      refused += 1;
    }
  }
  if (absent > 0) {
    // A row whose key was changed is not found; the full check, which opens every row, tells of it.
    const report = await store.verify(AbortSignal.timeout(10_000));
    const rows = await store.list('secret', new Uint8Array(), { limit: 1000 });
    const isTold = !report.ok || rows.some((row) => !opens(instance, row));
    assert.ok(isTold, `${absent} rows are gone and nothing tells of it`);
  }
  return refused + absent === 0 ? 'whole' : 'partly';
}

function opens(instance: OpenInstance, row: Row): boolean {
  try {
    instance.vault.open('secret', row);
    return true;
  } catch (error) {
    assert.ok(error instanceof SpikeError && error.code === 'store_integrity');
    return false;
  }
}

test(
  `${files} mutated database files open with the right data, or are refused`,
  { timeout: 600_000 },
  async (t) => {
    const root = await mkdtemp(join(tmpdir(), 'spike-file-fuzz-'));
    t.after(() => rm(root, { recursive: true }));
    const seed = Number(process.env['SPIKE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
    const random = numbers(seed);
    const made = await makeStore(root);
    const good = join(root, 'good');
    const entries = await readdir(good);
    const database = entries.find((name) => name.endsWith('.db') || name.endsWith('.sqlite')) ?? '';
    assert.notEqual(database, '', entries.join());
    const original = await readFile(join(good, database));
    const outcomes = new Map<string, number>();
    for (let file = -1; file < files; file++) {
      const directory = join(root, `mutated-${file}`);
      await mkdir(directory, { mode: 0o700 });
      for (const name of entries) await copyFile(join(good, name), join(directory, name));
      const bytes = Buffer.from(original);
      // The first is left as it is: what is made of it has to be whole.
      for (let edits = file < 0 ? 0 : 1 + Math.floor(random() * 6); edits > 0; edits--) {
        const at = Math.floor(random() * (random() < 0.2 ? 4096 : bytes.length));
        if (random() < 0.7) bytes[at] = Math.floor(random() * 256);
        else if (random() < 0.5) bytes.fill(0, at, at + 1 + Math.floor(random() * 600));
        else bytes.copy(bytes, at, Math.floor(random() * bytes.length), bytes.length);
      }
      await writeFile(join(directory, database), bytes, { mode: 0o600 });
      const outcome = await readStore(directory, made).catch((error: unknown) => {
        if (error instanceof SpikeError && refusals.includes(error.code)) return error.code;
        throw new Error(`seed ${seed}, file ${file}`, { cause: error });
      });
      if (file < 0) assert.equal(outcome, 'whole');
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      await rm(directory, { recursive: true });
    }
    t.diagnostic(`seed ${seed}: ${JSON.stringify(Object.fromEntries(outcomes))}`);
    assert.ok((outcomes.get('store_integrity') ?? 0) > 0);
  },
);

/** mulberry32: from 0 to 1. */
function numbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
