import type { FoundAnchor } from '../vault/anchor-file.ts';
import type { InstanceHead, SplitHead } from '../vault/head.ts';
import type { FetchedShare } from './keeper-set.ts';

/*
 * Whether the store is the one that others know of. Each of these answers what people are told when it is not, and
 * undefined when nothing speaks against it.
 */

/** An empty store of which the anchor file or the configuration names an instance is not a new one. */
export function missedByFiles(anchor: FoundAnchor, pinned: string | undefined): string | undefined {
  if (anchor.kind === 'found')
    return `the store is empty, but the anchor file names instance ${anchor.anchor.instance}; put its store back`;
  if (anchor.kind === 'damaged')
    return 'the store is empty and the anchor file cannot be read; put both back';
  return pinned === undefined
    ? undefined
    : `the store is empty, but SPIKE_NEXUS_INSTANCE names ${pinned}; put its store back`;
}

/** Keepers that hold an active share know an instance: an empty store is then not a new one. */
export function missedByKeepers(fetched: readonly FetchedShare[]): string | undefined {
  const origin = fetched.find((share) => share.origin !== undefined)?.origin;
  return origin === undefined
    ? undefined
    : `the store is empty, but Keepers hold shares of instance ${origin.instance}; put its store back`;
}

/** A threshold of Keepers that holds shares of another instance, and none of this one, says that it is the wrong store. */
export function foreignToKeepers(
  fetched: readonly FetchedShare[],
  head: InstanceHead,
  split: SplitHead,
): string | undefined {
  const foreign = fetched.filter(({ origin }) => origin !== undefined && origin.instance !== head.instance);
  const origin = foreign[0]?.origin;
  if (origin === undefined || fetched.length - foreign.length >= split.threshold) return undefined;
  if (foreign.length < split.threshold) return undefined;
  return `the store is of instance ${head.instance}, but Keepers hold shares of ${origin.instance}; put the right store back`;
}
