import { Polynomial, type RootKey, type Share } from '@spike/crypto';

/** Sets of t shares that are tried before giving up: a set of 16 Keepers with threshold 3 has 560. */
export const mostTries = 2_000;

export interface Found<Proof> {
  readonly polynomial: Polynomial;
  readonly proof: Proof;
  /** Shares that do not lie on the polynomial which the proof accepted: somebody's copy is wrong. */
  readonly wrong: readonly Share[];
}

export interface Search<Proof> {
  readonly found: Found<Proof> | undefined;
  /** Not all sets were tried, so the right one may be among the others. */
  readonly gaveUp: boolean;
}

/**
 * Shamir has no check value, so wrong shares make a wrong key silently. This tries sets of t shares until `prove`
 * accepts the key that a set makes, and then names the shares that do not belong to it.
 */
export function findRootKey<Proof>(
  shares: readonly Share[],
  threshold: number,
  prove: (rootKey: RootKey) => Proof | undefined,
): Search<Proof> {
  let tries = 0;
  for (const chosen of chooseEach(shares, threshold)) {
    if (++tries > mostTries) return { found: undefined, gaveUp: true };
    const polynomial = interpolate(chosen, threshold);
    if (polynomial === undefined) continue;
    using rootKey = polynomial.rootKey();
    const proof = prove(rootKey);
    if (proof !== undefined) {
      const wrong = shares.filter((share) => !liesOn(polynomial, share));
      return { found: { polynomial, proof, wrong }, gaveUp: false };
    }
  }
  return { found: undefined, gaveUp: false };
}

export function liesOn(polynomial: Polynomial, share: Share): boolean {
  using expected = polynomial.share(share.id);
  return expected.equals(share);
}

function interpolate(chosen: readonly Share[], threshold: number): Polynomial | undefined {
  try {
    return Polynomial.interpolate(chosen, threshold);
  } catch {
    return undefined;
  }
}

/** Every choice of `size` items, in their order. */
export function* chooseEach<Item>(items: readonly Item[], size: number): Generator<readonly Item[]> {
  if (size === 0) {
    yield [];
    return;
  }
  for (let index = 0; index + size <= items.length; index++) {
    const item = items[index] as Item;
    for (const rest of chooseEach(items.slice(index + 1), size - 1)) yield [item, ...rest];
  }
}
