import { timingSafeEqual } from 'node:crypto';

import { commitKey, derive, encodeFields, FieldReader, Secret, XaesKey, type RootKey } from '@spike/crypto';
import { SpikeError } from '@spike/error';

import { schemaVersion, suite, type InstanceHead, type WrappedKeyring } from './head.ts';
import { broken, trusted } from './integrity.ts';

/** One key. `use` and `state` are open sets: what a release doesn't know, it keeps. */
export interface KeyringEntry {
  readonly use: string;
  /** From 1, within its use; for data keys this is the term. */
  readonly number: number;
  /** `active`: the newest of them is used. `retired`: opens what it sealed. `restored`: came with a backup, and opens alone. */
  readonly state: string;
  readonly key: Secret;
  /** The instance that made it: a restore brings keys with the id of theirs. */
  readonly instance: string;
}

/** What a new instance gets, one of each: Ed25519 seeds are 32 bytes too. */
export const uses = ['data', 'index', 'anchor', 'cipher', 'audit', 'reset', 'token'] as const;
export type Use = (typeof uses)[number];

const label = 'spike/keyring';
const format = 1;
const limit = { entries: 4096, text: 64, key: 4096 } as const;

/** The keys of an instance. They are wrapped as one under the root key, so a rekey rewrites nothing else. */
export class Keyring implements Disposable {
  readonly entries: readonly KeyringEntry[];

  constructor(entries: readonly KeyringEntry[]) {
    this.entries = entries;
  }

  static generate(instance: string, random: (size: number) => Uint8Array): Keyring {
    return new Keyring(
      uses.map((use) => ({ use, number: 1, state: 'active', key: Secret.take(random(32)), instance })),
    );
  }

  all(use: Use): readonly KeyringEntry[] {
    return this.entries.filter((entry) => entry.use === use);
  }

  /** The newest active key of this use; throws SpikeError `store_integrity` when there is none. */
  current(use: Use): KeyringEntry {
    const active = this.all(use).filter((entry) => entry.state === 'active');
    const newest = active.toSorted((a, b) => b.number - a.number)[0];
    if (newest === undefined) throw broken(`the keyring has no active key for ${use}`);
    return newest;
  }

  [Symbol.dispose](): void {
    for (const entry of this.entries) entry.key.dispose();
  }
}

export function wrapKeyring(
  keyring: Keyring,
  rootKey: RootKey,
  place: { readonly instance: string; readonly keyringEpoch: number },
): WrappedKeyring {
  using wrapping = wrappingKey(rootKey, place);
  const plaintext = encodeKeyring(keyring);
  const sealed = wrapping.seal(plaintext, wrapAad(place));
  plaintext.fill(0);
  return { ...sealed, commitment: commitKey(rootKey.secret, place.instance, place.keyringEpoch) };
}

/**
 * Throws SpikeError `crypto_decryption_failed` when this root key is not the one that the store commits to, and
 * `store_integrity` when it is and the keyring does not open.
 */
export function unwrapKeyring(head: InstanceHead, rootKey: RootKey): Keyring {
  const commitment = commitKey(rootKey.secret, head.instance, head.keyringEpoch);
  if (!timingSafeEqual(commitment, head.keyring.commitment)) {
    throw new SpikeError('crypto_decryption_failed', 'this root key is not the one of this store', {
      detail: { instance: head.instance, keyringEpoch: head.keyringEpoch },
    });
  }
  using wrapping = wrappingKey(rootKey, head);
  const plaintext = trusted('the keyring', () =>
    wrapping.open(head.keyring.nonce, head.keyring.body, wrapAad(head)),
  );
  try {
    return trusted('the keyring', () => parseKeyring(plaintext));
  } finally {
    plaintext.fill(0);
  }
}

function wrappingKey(
  rootKey: RootKey,
  { instance, keyringEpoch }: { instance: string; keyringEpoch: number },
): XaesKey {
  using key = derive('keyring/wrap', rootKey.secret, instance, keyringEpoch);
  return XaesKey.from(key);
}

function wrapAad({ instance, keyringEpoch }: { instance: string; keyringEpoch: number }): Uint8Array {
  return encodeFields(label, schemaVersion, suite, instance, keyringEpoch);
}

function encodeKeyring(keyring: Keyring): Uint8Array {
  const copies: Uint8Array[] = [];
  const fields = keyring.entries.flatMap(({ use, number, state, key, instance }) => {
    const copy = key.expose((bytes) => Uint8Array.from(bytes));
    copies.push(copy);
    return [use, number, state, copy, instance];
  });
  const encoded = encodeFields(label, format, keyring.entries.length, ...fields);
  for (const copy of copies) copy.fill(0);
  return encoded;
}

function parseKeyring(bytes: Uint8Array): Keyring {
  const reader = new FieldReader(bytes);
  if (reader.text(limit.text) !== label || reader.integer() !== format) {
    throw broken('the keyring is of another release');
  }
  const count = reader.integer(limit.entries);
  const entries = Array.from({ length: count }, () => ({
    use: reader.text(limit.text),
    number: reader.integer(),
    state: reader.text(limit.text),
    key: Secret.take(Uint8Array.from(reader.bytes(limit.key))),
    instance: reader.text(limit.text),
  }));
  reader.end();
  // Ciphertexts name a key by its number and its instance, so a restored key keeps both beside one of this instance.
  const names = new Set(
    entries.map(({ use, number, instance }) => encodeFields(use, number, instance).toString()),
  );
  if (names.size !== entries.length) throw broken('the keyring has two keys of one use, number and instance');
  return new Keyring(entries);
}
