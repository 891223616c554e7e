import { selectorTypes, type RegistrationEntry, type Selector, type SelectorType } from '@spike/registry';

/** What the kernel, and for `part` and `runEntry` our own records, say of one living process. */
export interface Attestation {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  /** Absent when the executable can't be read: a process that is not dumpable hides it from its own uid. */
  readonly path?: string;
  readonly sha256?: string;
  readonly part?: string;
  /** The one entry that `run` bound this process to; no other matches it, even after that one was deleted. */
  readonly runEntry?: string;
}

/**
 * The entries whose ID this process gets: the most specific first (more selectors, then the more telling kinds), then
 * the older one, since the first is the default identity and must not change when another entry is added. One entry
 * for each ID. `entries` come in the order of their creation.
 */
export function entitle(
  entries: readonly RegistrationEntry[],
  attestation: Attestation,
): readonly RegistrationEntry[] {
  if (attestation.runEntry !== undefined) {
    return entries.filter((entry) => entry.id === attestation.runEntry);
  }
  const matching = entries.filter(
    (entry) =>
      entry.origin !== 'run' &&
      entry.selectors.length > 0 &&
      entry.selectors.every((selector) => matches(selector, attestation)),
  );
  const seen = new Set<string>();
  return matching.sort(compareSpecificity).filter((entry) => {
    if (seen.has(entry.spiffeId)) return false;
    seen.add(entry.spiffeId);
    return true;
  });
}

function matches(selector: Selector, attestation: Attestation): boolean {
  switch (selector.type) {
    case 'uid':
      return selector.value === String(attestation.uid);
    case 'gid':
      return selector.value === String(attestation.gid);
    case 'pid':
      return selector.value === String(attestation.pid);
    case 'path':
      return selector.value === attestation.path;
    case 'sha256':
      return selector.value === attestation.sha256;
    case 'part':
      return selector.value === attestation.part;
  }
}

/** `selectorTypes` lists the kinds from the least telling to the most. */
function compareSpecificity(left: RegistrationEntry, right: RegistrationEntry): number {
  if (left.selectors.length !== right.selectors.length) {
    return right.selectors.length - left.selectors.length;
  }
  const [leftRanks, rightRanks] = [ranks(left.selectors), ranks(right.selectors)];
  for (const [index, rank] of leftRanks.entries()) {
    const difference = (rightRanks[index] ?? 0) - rank;
    if (difference !== 0) return difference;
  }
  // Array.prototype.sort is stable, so entries of one millisecond stay in the order of their creation.
  return Date.parse(left.createdAt) - Date.parse(right.createdAt);
}

function ranks(selectors: readonly Selector[]): readonly number[] {
  const rank = (type: SelectorType): number => selectorTypes.indexOf(type);
  return selectors.map((selector) => rank(selector.type)).sort((left, right) => right - left);
}
