import type { SecretMetadata, SecretVersion } from './secret-record.ts';

/** The metadata of a path with one version more, and the numbers that are pruned for it. */
export function addVersion(
  before: SecretMetadata | undefined,
  path: string,
  options: { readonly now: number; readonly maxVersions: number },
): { readonly metadata: SecretMetadata; readonly pruned: readonly number[] } {
  const { now } = options;
  const maxVersions = before?.maxVersions ?? options.maxVersions;
  const version = (before?.highest ?? 0) + 1;
  const all = [...(before?.versions ?? []), { version, createdAt: now, deletedAt: 0 }];
  const surplus = Math.max(0, all.length - maxVersions);
  const versions = all.slice(surplus);
  return {
    metadata: {
      path,
      ...edges(versions),
      highest: version,
      maxVersions,
      createdAt: before?.createdAt ?? now,
      updatedAt: now,
      versions,
      extension: before?.extension ?? {},
    },
    pruned: all.slice(0, surplus).map((entry) => entry.version),
  };
}

/**
 * The metadata with these versions softly deleted: 0 and an empty list mean the current one, unknown numbers
 * nothing. Undefined where nothing changes.
 */
export function deleteVersions(
  before: SecretMetadata,
  wanted: readonly number[],
  now: number,
): SecretMetadata | undefined {
  const numbers = new Set(
    (wanted.length === 0 ? [0] : wanted).map((version) => (version === 0 ? before.current : version)),
  );
  if (!before.versions.some((entry) => numbers.has(entry.version))) return undefined;
  const versions = before.versions.map((entry) =>
    numbers.has(entry.version) ? { ...entry, deletedAt: now } : entry,
  );
  return {
    ...before,
    ...edges(versions),
    versions,
    updatedAt: numbers.has(before.current) ? now : before.updatedAt,
  };
}

/** The number that a reader gets for this one, where 0 is the current; undefined when it is not there or deleted. */
export function findVersion(metadata: SecretMetadata, wanted: number): number | undefined {
  const version = wanted === 0 ? metadata.current : wanted;
  const entry = metadata.versions.find((candidate) => candidate.version === version);
  return entry?.deletedAt === 0 ? version : undefined;
}

function edges(versions: readonly SecretVersion[]): { readonly current: number; readonly oldest: number } {
  const alive = (entry: SecretVersion): boolean => entry.deletedAt === 0;
  return { current: versions.findLast(alive)?.version ?? 0, oldest: versions.find(alive)?.version ?? 0 };
}
