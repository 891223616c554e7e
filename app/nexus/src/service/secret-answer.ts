import type { NexusTable, OutputOf } from '@spike/contract';
import { readNotes } from './secret-note.ts';
import type { SecretMetadata } from './secret-record.ts';

type MetadataAnswer = OutputOf<NexusTable['getMetadata']>;

/** What is known about a secret, as it goes over the wire: times are RFC 3339, and what is not deleted has none. */
export function toMetadataAnswer(metadata: SecretMetadata): MetadataAnswer {
  const versions: MetadataAnswer['versions'] = {};
  for (const { version, createdAt, deletedAt } of metadata.versions) {
    versions[String(version)] = {
      createdTime: toTime(createdAt),
      version,
      deletedTime: deletedAt === 0 ? null : toTime(deletedAt),
    };
  }
  return {
    versions,
    metadata: {
      currentVersion: metadata.current,
      oldestVersion: metadata.oldest,
      createdTime: toTime(metadata.createdAt),
      updatedTime: toTime(metadata.updatedAt),
      maxVersions: metadata.maxVersions,
      ...readNotes(metadata.extension),
    },
  };
}

function toTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
