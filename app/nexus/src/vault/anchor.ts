import { timingSafeEqual } from 'node:crypto';

import { authenticate, derive, type Field, type Secret } from '@spike/crypto';
import { SpikeError } from '@spike/error';

import { isInstanceId } from './head.ts';
import { broken } from './integrity.ts';
import type { Keyring } from './keyring.ts';
import type { State } from './state.ts';

/**
 * How far the store had come, kept where a store that is put back does not take it along: in a file outside of the data
 * directory, and as a note in Keepers. It is made with a key of the keyring, not of the root key, so that it stays
 * valid through a rekey.
 */
export interface Anchor {
  readonly instance: string;
  readonly revision: number;
  readonly keyringEpoch: number;
  readonly auditSize: number;
  readonly auditRoot: Uint8Array;
  /** How far the audit was signed since, without a transaction; undefined where it was not. */
  readonly signed: AuditHead | undefined;
  /** Number of the anchor key in the keyring. */
  readonly key: number;
  readonly mac: Uint8Array;
}

/** The audit as far as it was synced when somebody looked. */
export interface AuditHead {
  readonly size: number;
  readonly root: Uint8Array;
}

/** 1 says nothing of what was signed since. */
const formats = { plain: 1, signed: 2 } as const;
export const longestAnchor = 1024;

/** One line of JSON. The instance is readable without a key: an empty store is known for what it is. */
export function encodeAnchor(anchor: Anchor): string {
  const { instance, revision, keyringEpoch, auditSize, signed, key } = anchor;
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const since = signed === undefined ? {} : { signedSize: signed.size, signedRoot: hex(signed.root) };
  const head = { format: formatOf(anchor), instance, revision, keyringEpoch, auditSize };
  const rest = { auditRoot: hex(anchor.auditRoot), ...since, key, mac: hex(anchor.mac) };
  return `${JSON.stringify({ ...head, ...rest })}\n`;
}

/** Throws SpikeError `data_invalid_input`. What it answers is well-formed and not yet verified. */
export function parseAnchor(text: string): Anchor {
  const fields = readJson(text);
  const whole = (name: string): number => {
    const value = fields.get(name);
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed();
    return value;
  };
  const hex = (name: string): Uint8Array => {
    const value = fields.get(name);
    if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value)) throw malformed();
    return Buffer.from(value, 'hex');
  };
  const instance = fields.get('instance');
  const format = whole('format');
  if (format !== formats.plain && format !== formats.signed) throw malformed();
  if (typeof instance !== 'string' || !isInstanceId(instance)) throw malformed();
  return {
    instance,
    revision: whole('revision'),
    keyringEpoch: whole('keyringEpoch'),
    auditSize: whole('auditSize'),
    auditRoot: hex('auditRoot'),
    signed: format === formats.plain ? undefined : { size: whole('signedSize'), root: hex('signedRoot') },
    key: whole('key'),
    mac: hex('mac'),
  };
}

interface AnchorKey {
  readonly mac: Secret;
  readonly digest: Secret;
  readonly backup: Secret;
}

/** The anchor keys of a keyring, and what comes from the same ones: keys for the digests of tables, and of backups. */
export class AnchorKeys implements Disposable {
  readonly current: number;
  readonly #instance: string;
  readonly #keys: ReadonlyMap<number, AnchorKey>;

  constructor(keyring: Keyring, instance: string) {
    this.#instance = instance;
    this.current = keyring.current('anchor').number;
    this.#keys = new Map(
      keyring.all('anchor').map(({ number, key }) => [
        number,
        {
          mac: derive('anchor/mac', key, instance),
          digest: derive('table/digest', key, instance),
          backup: derive('backup/mac', key, instance),
        },
      ]),
    );
  }

  /** Throws SpikeError `store_integrity` for a number that the keyring doesn't have. */
  digestKey(number: number): Secret {
    const keys = this.#keys.get(number);
    if (keys === undefined)
      throw broken('the state record names an anchor key that the keyring does not have');
    return keys.digest;
  }

  /** `audited` is how far the audit was signed, where that is further than the state record says. */
  sign(
    state: Pick<State, 'revision' | 'keyringEpoch' | 'auditSize' | 'auditRoot'>,
    audited?: AuditHead,
  ): Anchor {
    const { revision, keyringEpoch, auditSize, auditRoot } = state;
    const key = this.current;
    const signed = audited !== undefined && audited.size > auditSize ? audited : undefined;
    const unsigned = { instance: this.#instance, revision, keyringEpoch, auditSize, auditRoot, signed, key };
    const keys = this.#keys.get(key);
    if (keys === undefined) throw broken('the keyring has no anchor key');
    return { ...unsigned, mac: authenticate(keys.mac, ...anchorFields(unsigned)) };
  }

  verify(anchor: Anchor): boolean {
    const keys = this.#keys.get(anchor.key);
    if (keys === undefined || anchor.instance !== this.#instance || anchor.mac.length !== 32) return false;
    return timingSafeEqual(authenticate(keys.mac, ...anchorFields(anchor)), anchor.mac);
  }

  /** Says that this instance made the backup whose content has this SHA-256. */
  signBackup(digest: Uint8Array): { readonly key: number; readonly mac: Uint8Array } {
    const keys = this.#keys.get(this.current);
    if (keys === undefined) throw broken('the keyring has no anchor key');
    return { key: this.current, mac: authenticate(keys.backup, ...this.#backupFields(digest)) };
  }

  verifyBackup(
    digest: Uint8Array,
    { key, mac }: { readonly key: number; readonly mac: Uint8Array },
  ): boolean {
    const keys = this.#keys.get(key);
    if (keys === undefined || mac.length !== 32) return false;
    return timingSafeEqual(authenticate(keys.backup, ...this.#backupFields(digest)), mac);
  }

  #backupFields(digest: Uint8Array): readonly Field[] {
    return ['spike/backup', this.#instance, digest];
  }

  [Symbol.dispose](): void {
    for (const { mac, digest, backup } of this.#keys.values()) {
      for (const key of [mac, digest, backup]) key.dispose();
    }
  }
}

/**
 * Compares the store with the highest valid anchor. Throws SpikeError `store_missing` when an anchor names another
 * instance, and `store_integrity` when the store is older than the anchor or went another way, unless a person accepted
 * it: `accepted` is `INSTANCE@REVISION`, for this revision of the store alone, or the instance id, for every one.
 * Anchors that don't verify count for nothing; how many is the answer.
 */
export function checkAnchors(
  keys: AnchorKeys,
  instance: string,
  state: State,
  anchors: readonly Anchor[],
  accepted: string | undefined,
): { readonly invalid: number } {
  const foreign = anchors.find((anchor) => anchor.instance !== instance);
  if (foreign !== undefined) {
    throw new SpikeError(
      'store_missing',
      `the anchor is of instance ${foreign.instance}, the store of ${instance}: put the right store back`,
      { detail: { anchor: foreign.instance, store: instance } },
    );
  }
  const valid = anchors.filter((anchor) => keys.verify(anchor));
  const highest = highestOf(valid);
  const acceptable = `${instance}@${state.revision}`;
  if (highest !== undefined && accepted !== instance && accepted !== acceptable) {
    const older = state.keyringEpoch < highest.keyringEpoch || state.revision < highest.revision;
    const apart =
      state.revision === highest.revision &&
      (state.auditSize !== highest.auditSize || !Buffer.from(state.auditRoot).equals(highest.auditRoot));
    if (older || apart) {
      throw broken(
        `the store is ${older ? 'older than' : 'not the one of'} its anchor (revision ${state.revision}, anchor ${highest.revision}): put the newer one back, or accept this one as ${acceptable}`,
        { detail: { revision: state.revision, anchor: highest.revision, instance } },
      );
    }
  }
  return { invalid: anchors.length - valid.length };
}

/** The one that came furthest; undefined where there is none. */
export function highestOf(anchors: readonly Anchor[]): Anchor | undefined {
  return anchors.toSorted(
    (a, b) =>
      b.keyringEpoch - a.keyringEpoch ||
      b.revision - a.revision ||
      (b.signed?.size ?? 0) - (a.signed?.size ?? 0),
  )[0];
}

function anchorFields(anchor: Omit<Anchor, 'mac'>): readonly Field[] {
  const { instance, revision, keyringEpoch, auditSize, auditRoot, signed, key } = anchor;
  const since = signed === undefined ? [] : [signed.size, signed.root];
  const format = formatOf(anchor);
  return ['spike/anchor', format, instance, revision, keyringEpoch, auditSize, auditRoot, ...since, key];
}

function formatOf({ signed }: Pick<Anchor, 'signed'>): number {
  return signed === undefined ? formats.plain : formats.signed;
}

function readJson(text: string): ReadonlyMap<string, unknown> {
  if (text.length > longestAnchor) throw malformed();
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) throw malformed();
    return new Map(Object.entries(value));
  } catch (cause) {
    if (cause instanceof SpikeError) throw cause;
    throw malformed(cause);
  }
}

function malformed(cause?: unknown): SpikeError {
  return new SpikeError('data_invalid_input', 'this is not an anchor', { cause });
}
