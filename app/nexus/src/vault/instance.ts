import { createHash, randomBytes, randomUUID } from 'node:crypto';

import { derive, type Polynomial, type RootKey, type Secret } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import type { Op, Table } from '@spike/store';

import { AuditKeys } from '../audit/key.ts';
import { AnchorKeys } from './anchor.ts';
import type { FoundAnchor } from './anchor-file.ts';
import { CipherKeys } from './cipher-key.ts';
import { encodeHead, newestSplit, parseHead, type InstanceHead } from './head.ts';
import { Keyring, unwrapKeyring, wrapKeyring, type KeyringEntry } from './keyring.ts';
import { openManifest, sealManifest, type Split } from './manifest.ts';
import { outboxOps, outboxRows } from './outbox.ts';
import type { AuditDraft } from './port.ts';
import { ResetKeys } from './reset-key.ts';
import { sealState, type State } from './state.ts';
import { TableDigest } from './table-digest.ts';
import { KeyringVault } from './vault.ts';

/** The small tables that the state record holds a digest of. A release that adds one finds it empty in older records. */
export const watchedTables: readonly Table[] = ['policy', 'administrator', 'setting'];

/** An instance whose root key was proven. Its owner disposes it, which wipes the keys. */
export class OpenInstance implements Disposable {
  readonly head: InstanceHead;
  /** SHA-256 of the head as it is stored. */
  readonly headDigest: Uint8Array;
  readonly vault: KeyringVault;
  readonly anchors: AnchorKeys;
  readonly cipher: CipherKeys;
  /** For the HMACs of administrators' tokens and of codes. */
  readonly accessKey: Secret;
  readonly audit: AuditKeys;
  readonly reset: ResetKeys;
  readonly keeper: Split;
  readonly recovery: Split;

  /** Splits, older ones, too, though nobody asks them for anything, and keys that came later. */
  readonly #owned: DisposableStack;

  private constructor(
    bytes: Uint8Array,
    head: InstanceHead,
    keyring: Keyring,
    splits: readonly Split[],
    owned: DisposableStack,
  ) {
    this.head = head;
    this.headDigest = hashHead(bytes);
    this.keeper = newestSplit(splits, 'keeper');
    this.recovery = newestSplit(splits, 'recovery');
    this.vault = new KeyringVault(keyring, head.instance);
    this.anchors = new AnchorKeys(keyring, head.instance);
    this.cipher = new CipherKeys(keyring);
    this.accessKey = derive('access/mac', keyring.current('token').key, head.instance);
    this.audit = new AuditKeys(keyring);
    this.reset = new ResetKeys(keyring, head.instance);
    // Last: until nothing can fail any more they are the opener's to wipe.
    this.#owned = owned.move();
  }

  /**
   * Opens what lies in the clear head of the store with a root key. Throws SpikeError `crypto_decryption_failed` when
   * the store was not made with this root key (then other shares may give the right one), and `store_integrity` when it
   * was, and something of it does not open.
   */
  static open(rootKey: RootKey, bytes: Uint8Array): OpenInstance {
    const head = parseHead(bytes);
    using keyring = unwrapKeyring(head, rootKey);
    using opened = new DisposableStack();
    const splits = head.splits.map((split) => opened.use(openManifest(split, rootKey, head)));
    return new OpenInstance(bytes, head, keyring, splits, opened);
  }

  get instance(): string {
    return this.head.instance;
  }

  /** What a later head of the same root key opens to, for its owner. Throws as `open` does. */
  reopen(bytes: Uint8Array): OpenInstance {
    using rootKey = this.keeper.rootKey();
    return OpenInstance.open(rootKey, bytes);
  }

  /**
   * A head that differs from this instance's in its keyring alone, to be committed, and what it opens to. `change` gets
   * the keys there are, which are wiped when it is done; of keys that it adds it stays the owner.
   */
  withKeyring(change: (entries: readonly KeyringEntry[]) => readonly KeyringEntry[]): {
    readonly bytes: Uint8Array;
    readonly instance: OpenInstance;
  } {
    using rootKey = this.keeper.rootKey();
    using keyring = unwrapKeyring(this.head, rootKey);
    const changed = wrapKeyring(new Keyring(change(keyring.entries)), rootKey, this.head);
    const bytes = encodeHead({ ...this.head, keyring: changed });
    return { bytes, instance: OpenInstance.open(rootKey, bytes) };
  }

  /** Wiped together with this instance. */
  own(keys: Disposable): void {
    this.#owned.use(keys);
  }

  [Symbol.dispose](): void {
    this.vault[Symbol.dispose]();
    this.anchors[Symbol.dispose]();
    this.cipher[Symbol.dispose]();
    this.accessKey.dispose();
    this.audit[Symbol.dispose]();
    this.reset[Symbol.dispose]();
    this.#owned.dispose();
  }
}

export interface NewInstance {
  readonly instance: OpenInstance;
  /** One transaction, which expects a store with nothing in it. */
  readonly ops: readonly Op[];
}

export interface NewInstanceOptions {
  readonly rootKey: RootKey;
  /** From `newInstanceId`, as the lease told it to Bootstrap. */
  readonly id: string;
  /** The split that the Keepers already hold, and one for recovery; both of this root key. */
  readonly keeper: { readonly polynomial: Polynomial; readonly count: number };
  readonly recovery: { readonly polynomial: Polynomial; readonly count: number };
  /** As far as the audit is synced. */
  readonly audit: { readonly syncedSize: number; readonly syncedRoot: Uint8Array };
  /** The record of the request that does this. */
  readonly record?: AuditDraft;
}

/** Makes a new instance with a new keyring. Call it in a Bootstrap ceremony and nowhere else (design.md 4). */
export function createInstance(options: NewInstanceOptions): NewInstance {
  const place = { instance: options.id, keyringEpoch: 1 };
  using keyring = Keyring.generate(options.id, randomBytes);
  const splits = (['keeper', 'recovery'] as const).map((purpose) =>
    sealManifest({ purpose, generation: 1, ...options[purpose] }, options.rootKey, place),
  );
  const bytes = encodeHead({ ...place, keyring: wrapKeyring(keyring, options.rootKey, place), splits });
  // Opened from its bytes, so that what can't be opened is never written.
  const instance = OpenInstance.open(options.rootKey, bytes);
  const { vault, anchors } = instance;
  const digestKey = anchors.digestKey(anchors.current);
  const state: State = {
    revision: 1,
    keyringEpoch: place.keyringEpoch,
    digestKey: anchors.current,
    tables: watchedTables.map((table) => new TableDigest(table, digestKey).state),
    head: instance.headDigest,
    auditSize: options.audit.syncedSize,
    auditRoot: options.audit.syncedRoot,
    outboxFrom: options.audit.syncedSize,
  };
  const records = options.record === undefined ? [] : [options.record];
  return {
    instance,
    ops: [
      { kind: 'head', bytes, revision: 1, expect: 'absent' },
      { kind: 'put', table: 'state', row: sealState(vault, state), expect: 'absent' },
      ...outboxOps(vault, state.revision, outboxRows(state.revision, records)),
    ],
  };
}

export function newInstanceId(): string {
  return randomUUID();
}

/**
 * Throws unless a new instance may be made here: SpikeError `state_already_initialized` when the store holds one, and
 * `store_missing` when the anchor file names one, or can't be read and so may name one.
 */
export function assertUnused(head: Uint8Array | undefined, anchor: FoundAnchor): void {
  if (head !== undefined) {
    throw new SpikeError('state_already_initialized', 'the store holds an instance: it is never made anew');
  }
  if (anchor.kind === 'absent') return;
  const named = anchor.kind === 'found' ? anchor.anchor.instance : 'that cannot be read';
  throw new SpikeError(
    'store_missing',
    `the store is empty, but the anchor file names an instance (${named}): put its store back, or move the anchor file away to begin anew`,
  );
}

export function hashHead(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
