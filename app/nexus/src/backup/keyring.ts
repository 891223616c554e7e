import { randomBytes } from 'node:crypto';
import { Secret } from '@spike/crypto';
import type { OpenInstance } from '../vault/instance.ts';
import type { KeyringEntry } from '../vault/keyring.ts';
import { broken } from '../vault/integrity.ts';

/**
 * The head of an instance into which a backup is restored: a new data term, under which the restored records lie, and the
 * backup's cipher keys, so that what they encrypted can be decrypted. They encrypt nothing any more, but where the backup
 * is of this very instance.
 */
export function keyringForRestore(
  running: OpenInstance,
  cipherKeys: readonly KeyringEntry[],
): { readonly bytes: Uint8Array; readonly instance: OpenInstance } {
  using term = Secret.take(randomBytes(32));
  return running.withKeyring((entries) => {
    const terms = entries.filter(({ use }) => use === 'data').map(({ number }) => number);
    const fresh: KeyringEntry = {
      use: 'data',
      number: Math.max(...terms) + 1,
      state: 'active',
      key: term,
      instance: running.instance,
    };
    const before = entries.map((entry) =>
      entry.use === 'data' && entry.state === 'active' ? { ...entry, state: 'retired' } : entry,
    );
    const added = cipherKeys
      .filter((key) => !isThere(entries, key))
      .map((key) => ({ ...key, state: 'restored' }));
    return [...before, fresh, ...added];
  });
}

/** Throws SpikeError `store_integrity` for another key under the same name, which no two instances of ours make. */
function isThere(entries: readonly KeyringEntry[], wanted: KeyringEntry): boolean {
  const found = entries.find(
    ({ use, number, instance }) =>
      use === wanted.use && number === wanted.number && instance === wanted.instance,
  );
  if (found === undefined) return false;
  if (found.key.equals(wanted.key)) return true;
  throw broken('the backup has another cipher key under a name that is taken here');
}
