import { randomBytes } from 'node:crypto';
import type { NoteSigner } from '@spike/audit';
import { Secret } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import type { Op, Store } from '@spike/store';
import type { OpenInstance } from '../vault/instance.ts';
import type { KeyringEntry } from '../vault/keyring.ts';
import type { Ledger, Origin } from '../vault/port.ts';
import type { Checkpointer } from './checkpointer.ts';

export interface RotationOptions {
  readonly store: Pick<Store, 'head'>;
  readonly ledger: Ledger;
  readonly instance: OpenInstance;
  readonly checkpointer: Checkpointer;
}

export interface Rotated {
  readonly key: string;
  readonly previous: string;
  /** Whether a checkpoint of both keys says so already. */
  readonly announced: boolean;
}

/**
 * Gives the log a new key. One transaction puts it into the keyring; a checkpoint that both keys sign comes behind it. What
 * is killed in between is announced at the next start, by the checkpoint file, which the older key has signed.
 */
export class AuditKeyRotation {
  readonly #options: RotationOptions;
  #running = false;

  constructor(options: RotationOptions) {
    this.#options = options;
  }

  /** Throws `store_integrity` for a log that is signed no more, and `audit_unavailable` where no checkpoint can be made. */
  async rotate(origin: () => Origin): Promise<Rotated> {
    if (this.#running)
      throw new SpikeError('entity_version_conflict', 'the audit is being given a new key already');
    this.#running = true;
    try {
      return await this.#rotate(origin);
    } finally {
      this.#running = false;
    }
  }

  async #rotate(origin: () => Origin): Promise<Rotated> {
    const { checkpointer } = this.#options;
    // Only a key whose own place is announced can announce another, and only where a checkpoint can be written.
    const { origin: name } = await checkpointer.sign();
    const previous = checkpointer.key;
    const signer = await this.#commit(name, origin);
    const announced = await checkpointer.adopt(signer).then(
      () => true,
      () => false,
    );
    return { key: signer.verifier.toString(), previous, announced };
  }

  async #commit(name: string, origin: () => Origin): Promise<NoteSigner> {
    const { store, ledger, instance } = this.#options;
    const head = await store.head();
    if (head === undefined) throw new SpikeError('store_missing', 'the store is empty');
    // Another change of the keyring may have been made since this instance was opened.
    using current = instance.reopen(head.bytes);
    using key = Secret.take(randomBytes(32));
    const changed = current.withKeyring((entries) => withNewKey(entries, key, current.instance));
    using opened = new DisposableStack();
    opened.use(changed.instance);
    const op: Op = {
      kind: 'head',
      bytes: changed.bytes,
      revision: head.revision + 1,
      expect: { revision: head.revision },
    };
    await ledger.commit([op], origin());
    instance.own(opened.move());
    return changed.instance.audit.current(name);
  }
}

/** The one of now is kept for the announcement. Those before it have nothing left to sign, and are wiped from the keyring. */
function withNewKey(
  entries: readonly KeyringEntry[],
  key: Secret,
  instance: string,
): readonly KeyringEntry[] {
  const newest = Math.max(...entries.filter(({ use }) => use === 'audit').map(({ number }) => number));
  const kept = entries
    .filter(({ use, number }) => use !== 'audit' || number === newest)
    .map((entry) => (entry.use === 'audit' ? { ...entry, state: 'retired' } : entry));
  return [...kept, { use: 'audit', number: newest + 1, state: 'active', key, instance }];
}
