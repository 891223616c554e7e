import {
  encodeFields,
  FieldReader,
  mostShares,
  nonceBytes,
  type Field,
  type SealedBody,
} from '@spike/crypto';

import { broken, trusted } from './integrity.ts';

/** Raised when a release of ours can't read what the one before it wrote. */
export const schemaVersion = 1;
/** XAES-256-GCM, HKDF-SHA-256, HMAC-SHA-256. */
export const suite = 1;

export const splitPurposes = ['keeper', 'recovery'] as const;
export type SplitPurpose = (typeof splitPurposes)[number];

export interface WrappedKeyring extends SealedBody {
  /** 32 bytes that commit to the root key (XAES-256-GCM doesn't). */
  readonly commitment: Uint8Array;
}

export interface SplitHead {
  readonly purpose: SplitPurpose;
  readonly threshold: number;
  readonly count: number;
  readonly generation: number;
  /** Digest of share 1, 2, … `count`: hints that name a wrong share before the key is there, and prove nothing. */
  readonly digests: readonly Uint8Array[];
  readonly manifest: SealedBody;
}

/** All that stands in the clear of an instance. Nothing is decided on it alone: the proof is that the keyring opens. */
export interface InstanceHead {
  readonly instance: string;
  /** Raised by each rekey. */
  readonly keyringEpoch: number;
  readonly keyring: WrappedKeyring;
  readonly splits: readonly SplitHead[];
}

const label = 'spike/head';
const digestBytes = 32;
const limit = { keyring: 1024 * 1024, manifest: 64 * 1024, splits: 16 } as const;
const instancePattern = /^[A-Za-z0-9-]{8,64}$/;

export function isInstanceId(text: string): boolean {
  return instancePattern.test(text);
}

export function encodeHead(head: InstanceHead): Uint8Array {
  const { nonce, body, commitment } = head.keyring;
  return encodeFields(
    label,
    schemaVersion,
    suite,
    head.instance,
    head.keyringEpoch,
    nonce,
    body,
    commitment,
    head.splits.length,
    ...head.splits.flatMap(splitFields),
  );
}

function splitFields(split: SplitHead): readonly Field[] {
  return [...clearFields(split), split.manifest.nonce, split.manifest.body];
}

/** The clear fields of a split, which its manifest is bound to. */
export function clearFields(split: Omit<SplitHead, 'manifest'>): readonly Field[] {
  const { purpose, threshold, count, generation, digests } = split;
  return [purpose, threshold, count, generation, Buffer.concat(digests)];
}

/** Throws SpikeError `store_integrity` for what is no head, and for one of a later release. */
export function parseHead(bytes: Uint8Array): InstanceHead {
  return trusted('the head of the store', () => {
    const reader = new FieldReader(bytes);
    if (reader.text(label.length) !== label) throw broken('the store holds something else than SPIKE data');
    const schema = reader.integer();
    if (schema !== schemaVersion) {
      throw broken(
        `the store has schema version ${schema}, this release reads ${schemaVersion}: use its release`,
      );
    }
    if (reader.integer() !== suite) throw broken('the store is sealed with a suite that is not known here');
    const instance = reader.text(64);
    if (!isInstanceId(instance)) throw broken('the store has no proper instance id');
    const keyringEpoch = reader.integer();
    const keyring = {
      nonce: reader.exactly(nonceBytes),
      body: reader.bytes(limit.keyring),
      commitment: reader.exactly(32),
    };
    const splits = Array.from({ length: reader.integer(limit.splits) }, () => readSplit(reader));
    reader.end();
    return { instance, keyringEpoch, keyring, splits };
  });
}

function readSplit(reader: FieldReader): SplitHead {
  const name = reader.text(32);
  const purpose = splitPurposes.find((known) => known === name);
  if (purpose === undefined) throw broken('the store has a split of a purpose that is not known here');
  const threshold = reader.integer(mostShares);
  const count = reader.integer(mostShares);
  if (threshold < 1 || threshold > count) throw broken('the store has a split with an impossible threshold');
  const generation = reader.integer();
  const joined = reader.exactly(count * digestBytes);
  const digests = Array.from({ length: count }, (_, i) =>
    joined.subarray(i * digestBytes, (i + 1) * digestBytes),
  );
  return {
    purpose,
    threshold,
    count,
    generation,
    digests,
    manifest: { nonce: reader.exactly(nonceBytes), body: reader.bytes(limit.manifest) },
  };
}

/** The split of this purpose that counts. Throws SpikeError `store_integrity` where there is none. */
export function newestSplit<Split extends Pick<SplitHead, 'purpose' | 'generation'>>(
  splits: readonly Split[],
  purpose: SplitPurpose,
): Split {
  const found = splits
    .filter((split) => split.purpose === purpose)
    .toSorted((a, b) => b.generation - a.generation)[0];
  if (found === undefined) throw broken(`the store has no manifest for ${purpose}`);
  return found;
}
