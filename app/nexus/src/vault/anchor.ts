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
  /** Number of the anchor key in the keyring. */
  readonly key: number;
  readonly mac: Uint8Array;
}

const format = 1;
export const longestAnchor = 1024;

/** One line of JSON. The instance is readable without a key: an empty store is known for what it is. */
export function encodeAnchor(anchor: Anchor): string {
  const { instance, revision, keyringEpoch, auditSize, key } = anchor;
  const auditRoot = Buffer.from(anchor.auditRoot).toString('hex');
  const mac = Buffer.from(anchor.mac).toString('hex');
  return `${JSON.stringify({ format, instance, revision, keyringEpoch, auditSize, auditRoot, key, mac })}\n`;
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
  if (whole('format') !== format || typeof instance !== 'string' || !isInstanceId(instance))
    throw malformed();
  return {
    instance,
    revision: whole('revision'),
    keyringEpoch: whole('keyringEpoch'),
    auditSize: whole('auditSize'),
    auditRoot: hex('auditRoot'),
    key: whole('key'),
    mac: hex('mac'),
  };
}

/** The anchor keys of a keyring, and the keys for the digests of tables, which come from the same ones. */
export class AnchorKeys implements Disposable {
  readonly current: number;
  readonly #instance: string;
  readonly #keys: ReadonlyMap<number, { readonly mac: Secret; readonly digest: Secret }>;

  constructor(keyring: Keyring, instance: string) {
    this.#instance = instance;
    this.current = keyring.current('anchor').number;
    this.#keys = new Map(
      keyring
        .all('anchor')
        .map(({ number, key }) => [
          number,
          { mac: derive('anchor/mac', key, instance), digest: derive('table/digest', key, instance) },
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

  sign(state: Pick<State, 'revision' | 'keyringEpoch' | 'auditSize' | 'auditRoot'>): Anchor {
    const { revision, keyringEpoch, auditSize, auditRoot } = state;
    const key = this.current;
    const unsigned = { instance: this.#instance, revision, keyringEpoch, auditSize, auditRoot, key };
    const keys = this.#keys.get(key);
    if (keys === undefined) throw broken('the keyring has no anchor key');
    return { ...unsigned, mac: authenticate(keys.mac, ...anchorFields(unsigned)) };
  }

  verify(anchor: Anchor): boolean {
    const keys = this.#keys.get(anchor.key);
    if (keys === undefined || anchor.instance !== this.#instance || anchor.mac.length !== 32) return false;
    return timingSafeEqual(authenticate(keys.mac, ...anchorFields(anchor)), anchor.mac);
  }

  [Symbol.dispose](): void {
    for (const { mac, digest } of this.#keys.values()) {
      mac.dispose();
      digest.dispose();
    }
  }
}

/**
 * Compares the store with the highest valid anchor. Throws SpikeError `store_missing` when an anchor names another
 * instance, and `store_integrity` when the store is older than the anchor or went another way, unless `accepted`, which
 * a person gives, is this instance's id. Anchors that don't verify count for nothing; how many is the answer.
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
  const highest = valid.toSorted((a, b) => b.keyringEpoch - a.keyringEpoch || b.revision - a.revision)[0];
  if (highest !== undefined && accepted !== instance) {
    const older = state.keyringEpoch < highest.keyringEpoch || state.revision < highest.revision;
    const apart =
      state.revision === highest.revision &&
      (state.auditSize !== highest.auditSize || !Buffer.from(state.auditRoot).equals(highest.auditRoot));
    if (older || apart) {
      throw broken(
        `the store is ${older ? 'older than' : 'not the one of'} its anchor (revision ${state.revision}, anchor ${highest.revision}): put the newer one back, or accept this one with the instance id ${instance}`,
        { detail: { revision: state.revision, anchor: highest.revision, instance } },
      );
    }
  }
  return { invalid: anchors.length - valid.length };
}

function anchorFields(anchor: Omit<Anchor, 'mac'>): readonly Field[] {
  const { instance, revision, keyringEpoch, auditSize, auditRoot, key } = anchor;
  return ['spike/anchor', format, instance, revision, keyringEpoch, auditSize, auditRoot, key];
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
