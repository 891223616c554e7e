import type { InputOf, NexusTable, OutputOf, TextMap } from '@spike/contract';

export interface SecretVersion {
  readonly version: number;
  readonly createdAt: Date;
  /** Undefined for a version that is not deleted. */
  readonly deletedAt: Date | undefined;
}

/** What is known about a secret besides its values. */
export interface SecretMetadata {
  /** The version that a get answers, 0 when all are deleted. */
  readonly current: number;
  readonly maxVersions: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  /** Those that are kept, deleted ones too, lowest first. */
  readonly versions: readonly SecretVersion[];
  /** Empty when nobody said. */
  readonly owner: string;
  readonly description: string;
  readonly labels: TextMap;
}

/** What is given takes the place of what was there, an empty text or object clears it, and the rest stays. */
export interface SecretMetadataChange {
  /** From 1 to 1000. Versions above the new number leave at once, for good, the oldest first. */
  readonly maxVersions?: number;
  readonly owner?: string;
  readonly description?: string;
  /** In place of all labels there are. */
  readonly labels?: TextMap;
}

export function toMetadata({ versions, metadata }: OutputOf<NexusTable['getMetadata']>): SecretMetadata {
  return {
    current: metadata.currentVersion,
    maxVersions: metadata.maxVersions,
    createdAt: new Date(metadata.createdTime),
    updatedAt: new Date(metadata.updatedTime),
    versions: Object.values(versions)
      .map(({ version, createdTime, deletedTime }) => ({
        version,
        createdAt: new Date(createdTime),
        deletedAt: deletedTime === null ? undefined : new Date(deletedTime),
      }))
      .toSorted((a, b) => a.version - b.version),
    owner: metadata.owner ?? '',
    description: metadata.description ?? '',
    labels: metadata.labels ?? {},
  };
}

export function toChangeRequest(
  path: InputOf<NexusTable['setMetadata']>['path'],
  { maxVersions, owner, description, labels }: SecretMetadataChange,
): InputOf<NexusTable['setMetadata']> {
  return {
    path,
    ...(maxVersions === undefined ? {} : { maxVersions }),
    ...(owner === undefined ? {} : { owner }),
    ...(description === undefined ? {} : { description }),
    ...(labels === undefined ? {} : { labels }),
  };
}
