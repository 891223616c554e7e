import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RootKey } from '@spike/crypto';
import { openSqliteStore } from '@spike/store';
import { parseHead } from '../app/nexus/src/vault/head.ts';
import { unwrapKeyring, uses } from '../app/nexus/src/vault/keyring.ts';
import type { Wanted } from './memory.ts';
import { openScratch } from './system.ts';

const tries = 10;

/** Every key that Nexus may have in its memory, from the store in this directory as it lies there. */
export async function addKeys(wanted: Wanted, rootKey: RootKey, data: string): Promise<void> {
  rootKey.secret.expose((bytes) => wanted.add('root key', bytes));
  using keyring = await readKeyring(rootKey, data);
  for (const use of uses) {
    for (const { number, key } of keyring.all(use))
      key.expose((bytes) => wanted.add(`${use} key ${number}`, bytes));
  }
}

/** From a copy, which a write between two of its files tears: then of another one. */
async function readKeyring(rootKey: RootKey, data: string): Promise<ReturnType<typeof unwrapKeyring>> {
  for (let left = tries - 1; ; left--) {
    try {
      return await readCopy(rootKey, data);
    } catch (error) {
      if (left === 0) throw error;
    }
  }
}

async function readCopy(rootKey: RootKey, data: string): Promise<ReturnType<typeof unwrapKeyring>> {
  await using scratch = await openScratch();
  const directory = join(scratch.path, 'data');
  await mkdir(directory, { mode: 0o700 });
  // As files of our own, whoever's they are.
  for (const name of await readdir(data))
    await writeFile(join(directory, name), await readFile(join(data, name)), { mode: 0o600 });
  await using store = await openSqliteStore({ directory, signal: AbortSignal.timeout(60_000) });
  const head = await store.head();
  assert(head !== undefined);
  return unwrapKeyring(parseHead(head.bytes), rootKey);
}
