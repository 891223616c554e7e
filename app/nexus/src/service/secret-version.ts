import type { SecretMetadata, SecretVersion } from './secret-record.ts';

/** Metadata after a change, and the versions that left with it for good. */
export interface Trimmed {
  readonly metadata: SecretMetadata;
  readonly gone: readonly number[];
}

/** The metadata of a path with one version more. */
export function addVersion(
  before: SecretMetadata | undefined,
  path: string,
  options: { readonly now: number; readonly maxVersions: number },
): Trimmed {
  const { now, maxVersions } = options;
  const version = (before?.highest ?? 0) + 1;
  const versions = [...(before?.versions ?? []), { version, createdAt: now, deletedAt: 0 }];
  return trim(
    {
      path,
      ...edges(versions),
      highest: version,
      maxVersions,
      createdAt: before?.createdAt ?? now,
      updatedAt: now,
      versions,
      extension: before?.extension ?? {},
    },
    maxVersions,
  );
}

/** Keeps the highest so many versions, deleted ones included, from now on. */
export function trim(before: SecretMetadata, maxVersions: number): Trimmed {
  const surplus = Math.max(0, before.versions.length - maxVersions);
  const versions = before.versions.slice(surplus);
  return {
    metadata: { ...before, ...edges(versions), maxVersions, versions },
    gone: before.versions.slice(0, surplus).map((entry) => entry.version),
  };
}

/** Without these versions, deleted or not; numbers that are not there mean nothing. */
export function destroyVersions(before: SecretMetadata, numbers: readonly number[], now: number): Trimmed {
  const wanted = new Set(numbers);
  const versions = before.versions.filter((entry) => !wanted.has(entry.version));
  const gone = before.versions.filter((entry) => wanted.has(entry.version)).map((entry) => entry.version);
  const updatedAt = gone.length === 0 ? before.updatedAt : now;
  return { metadata: { ...before, ...edges(versions), versions, updatedAt }, gone };
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

/**
 * The metadata with these versions brought back: 0 and an empty list mean the newest deleted one. Undefined where none
 * of them is deleted.
 */
export function undeleteVersions(
  before: SecretMetadata,
  wanted: readonly number[],
  now: number,
): SecretMetadata | undefined {
  const newest = before.versions.findLast((entry) => entry.deletedAt !== 0)?.version;
  const numbers = new Set(
    (wanted.length === 0 ? [0] : wanted).map((version) => (version === 0 ? newest : version)),
  );
  const returns = (entry: SecretVersion): boolean => entry.deletedAt !== 0 && numbers.has(entry.version);
  if (!before.versions.some(returns)) return undefined;
  const versions = before.versions.map((entry) => (returns(entry) ? { ...entry, deletedAt: 0 } : entry));
  const { current, oldest } = edges(versions);
  const updatedAt = current === before.current ? before.updatedAt : now;
  return { ...before, current, oldest, versions, updatedAt };
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
