import type { RootKey, Share } from '@spike/crypto';
import { toSpikeError } from '@spike/error';
import type { InstanceHead, SplitHead } from '../vault/head.ts';
import { OpenInstance } from '../vault/instance.ts';
import { matchesHint } from '../vault/manifest.ts';
import { findRootKey, liesOn, mostTries } from './candidate.ts';

export interface Opening {
  readonly instance: OpenInstance | undefined;
  /** Ids of the shares that are wrong, which is certain once the instance is open and by the hints before that. */
  readonly wrong: readonly number[];
  /** Why it did not open, for people. */
  readonly problem: string;
}

/**
 * Puts the root key together from shares of which some may be wrong, and opens the store with it. Those that the hints
 * call right come first; the hints lie in the clear, so all are tried after that. Throws SpikeError `store_integrity`
 * for a store that this key opens and that is damaged.
 */
export function openFromShares(
  shares: readonly Share[],
  split: SplitHead,
  head: InstanceHead,
  bytes: Uint8Array,
): Opening {
  const right = shares.filter((share) => matchesHint(split, head.instance, share));
  const attempt = (key: RootKey): OpenInstance | undefined => tryOpen(key, bytes);
  const first = findRootKey(right, split.threshold, attempt);
  const { found, gaveUp } =
    first.found === undefined && right.length < shares.length
      ? findRootKey(shares, split.threshold, attempt)
      : first;
  if (found !== undefined) {
    const wrong = shares.filter((share) => !liesOn(found.polynomial, share));
    return { instance: found.proof, wrong: wrong.map(({ id }) => id), problem: '' };
  }
  const wrong = shares.filter((share) => !right.includes(share)).map(({ id }) => id);
  const which = wrong.length === 0 ? '' : `; wrong, by what the store says of them: ${wrong.join(', ')}`;
  const tried = gaveUp
    ? `; only ${mostTries} sets of ${split.threshold} were tried, fewer wrong shares would leave fewer sets`
    : '';
  return {
    instance: undefined,
    wrong,
    problem: `the shares that are here do not open the store${which}${tried}`,
  };
}

function tryOpen(rootKey: RootKey, bytes: Uint8Array): OpenInstance | undefined {
  try {
    return OpenInstance.open(rootKey, bytes);
  } catch (error) {
    // Another choice of shares may make the right key; a store that opens and is damaged stays damaged.
    if (toSpikeError(error).code === 'crypto_decryption_failed') return undefined;
    throw error;
  }
}
