import { timingSafeEqual } from 'node:crypto';

import {
  authenticate,
  derive,
  digestShare,
  encodeFields,
  FieldReader,
  Polynomial,
  Secret,
  XaesKey,
  type RootKey,
  type Share,
} from '@spike/crypto';
import { SpikeError } from '@spike/error';

import { clearFields, schemaVersion, suite, type SplitHead, type SplitPurpose } from './head.ts';
import { broken, trusted } from './integrity.ts';

const label = 'spike/manifest';
const format = 1;
const scalarBytes = 32;

interface Place {
  readonly instance: string;
  readonly keyringEpoch: number;
}

/**
 * One split of the root key, from which every share of it can be made again. As secret as the root key itself: its owner
 * disposes it, and it makes nothing afterwards.
 */
export interface Split extends Disposable {
  readonly instance: string;
  readonly purpose: SplitPurpose;
  readonly threshold: number;
  readonly count: number;
  readonly generation: number;
  readonly digests: readonly Uint8Array[];
  /** Share `id`, from 1 to `count`; throws RangeError for another. */
  shareOf(id: number): Share;
  /** The key that the shares make; its owner disposes it. */
  rootKey(): RootKey;
}

export interface NewSplit {
  readonly purpose: SplitPurpose;
  readonly count: number;
  readonly generation: number;
  readonly polynomial: Polynomial;
}

/** Seals the manifest of a split under keys of the root key that the split is of. */
export function sealManifest(split: NewSplit, rootKey: RootKey, place: Place): SplitHead {
  const { purpose, count, generation, polynomial } = split;
  const threshold = polynomial.threshold;
  if (threshold > count) throw new RangeError('a split has at least as many shares as its threshold');
  using own = polynomial.rootKey();
  if (!own.equals(rootKey)) {
    throw new SpikeError('shamir_reconstruction_failed', 'the shares are of another root key');
  }
  const digests = digestsOf(polynomial, count, place.instance, generation);
  const clear = { purpose, threshold, count, generation, digests };
  const statement = encodeStatement(clear, polynomial, place.instance);
  using macKey = derive('manifest/mac', rootKey.secret, place.instance, place.keyringEpoch);
  using sealing = sealingKey(rootKey, place);
  const plaintext = encodeFields(statement, authenticate(macKey, statement));
  const manifest = sealing.seal(plaintext, aad(clear, place));
  statement.fill(0);
  plaintext.fill(0);
  return { ...clear, manifest };
}

/** Throws SpikeError `store_integrity` unless everything in it, sealed and clear, is what this root key vouches for. */
export function openManifest(head: SplitHead, rootKey: RootKey, place: Place): Split {
  const { purpose, threshold, count, generation } = head;
  const what = `the manifest of the ${purpose} split`;
  using sealing = sealingKey(rootKey, place);
  const plaintext = trusted(what, () =>
    sealing.open(head.manifest.nonce, head.manifest.body, aad(head, place)),
  );
  try {
    const polynomial = trusted(what, () => verifyStatement(plaintext, head, rootKey, place));
    const digests = digestsOf(polynomial, count, place.instance, generation);
    if (!sameBytes(Buffer.concat(digests), Buffer.concat(head.digests)))
      throw broken(`${what} has other digests`);
    // The numbers that it is reckoned with cannot be wiped, so they are there as long as they are needed, and no longer.
    const coefficients = polynomial.coefficients();
    return {
      instance: place.instance,
      purpose,
      threshold,
      count,
      generation,
      digests,
      shareOf(id) {
        if (!Number.isInteger(id) || id < 1 || id > count)
          throw new RangeError(`this split has ${count} shares`);
        return Polynomial.fromCoefficients(coefficients).share(id);
      },
      rootKey: () => Polynomial.fromCoefficients(coefficients).rootKey(),
      [Symbol.dispose]() {
        for (const coefficient of coefficients) coefficient.dispose();
      },
    };
  } finally {
    plaintext.fill(0);
  }
}

/** Whether this share can be share `share.id` of this split, by the hints that lie in the clear. */
export function matchesHint(head: SplitHead, instance: string, share: Share): boolean {
  const digest = head.digests[share.id - 1];
  return digest !== undefined && sameBytes(digest, digestShare(instance, head.generation, share));
}

function verifyStatement(plaintext: Uint8Array, head: SplitHead, rootKey: RootKey, place: Place): Polynomial {
  const outer = new FieldReader(plaintext);
  const statement = outer.bytes(plaintext.length);
  const mac = outer.exactly(32);
  outer.end();
  using macKey = derive('manifest/mac', rootKey.secret, place.instance, place.keyringEpoch);
  if (!timingSafeEqual(authenticate(macKey, statement), mac)) throw broken('its MAC does not verify');
  const reader = new FieldReader(statement);
  if (reader.text(64) !== label || reader.integer() !== format) throw broken('it is of another release');
  const joined = reader.exactly(head.threshold * scalarBytes);
  const coefficients = Array.from({ length: head.threshold }, (_, i) =>
    Secret.take(Uint8Array.from(joined.subarray(i * scalarBytes, (i + 1) * scalarBytes))),
  );
  const polynomial = Polynomial.fromCoefficients(coefficients);
  for (const coefficient of coefficients) coefficient.dispose();
  const again = encodeStatement(head, polynomial, place.instance);
  const same = sameBytes(again, statement);
  again.fill(0);
  using own = polynomial.rootKey();
  if (!same || !own.equals(rootKey)) throw broken('it says something else than the head');
  return polynomial;
}

function encodeStatement(
  clear: Omit<SplitHead, 'manifest'>,
  polynomial: Polynomial,
  instance: string,
): Uint8Array {
  const coefficients = polynomial.coefficients();
  const joined = Buffer.concat(coefficients.map((one) => one.expose((bytes) => Uint8Array.from(bytes))));
  for (const coefficient of coefficients) coefficient.dispose();
  const statement = encodeFields(label, format, joined, instance, ...clearFields(clear));
  joined.fill(0);
  return statement;
}

function digestsOf(
  polynomial: Polynomial,
  count: number,
  instance: string,
  generation: number,
): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    using share = polynomial.share(i + 1);
    return digestShare(instance, generation, share);
  });
}

function sealingKey(rootKey: RootKey, { instance, keyringEpoch }: Place): XaesKey {
  using key = derive('manifest/seal', rootKey.secret, instance, keyringEpoch);
  return XaesKey.from(key);
}

function aad(clear: Omit<SplitHead, 'manifest'>, { instance, keyringEpoch }: Place): Uint8Array {
  return encodeFields(label, schemaVersion, suite, instance, keyringEpoch, ...clearFields(clear));
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
