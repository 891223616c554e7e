import { damaged, decodeRecord, encodeRecord, isRecord, isWhole, readNumber, readText } from './record.ts';

/** When a version came and, softly, went: milliseconds since 1970, 0 for a version that is not deleted. */
export interface SecretVersion {
  readonly version: number;
  readonly createdAt: number;
  readonly deletedAt: number;
}

/** What is kept about a secret besides its values. */
export interface SecretMetadata {
  readonly path: string;
  /** Highest version that is not deleted, 0 for none. */
  readonly current: number;
  /** Lowest version that is not deleted, 0 for none. */
  readonly oldest: number;
  /** Highest number that was ever given: none is given twice, whatever was deleted or pruned. */
  readonly highest: number;
  readonly maxVersions: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  /** Those that are kept, lowest first. */
  readonly versions: readonly SecretVersion[];
  /** What people say about it (`readNotes`), and room for what later releases add: both are written back as found. */
  readonly extension: Readonly<Record<string, unknown>>;
}

export function encodeMetadata(metadata: SecretMetadata): Uint8Array {
  return encodeRecord({
    path: metadata.path,
    current: metadata.current,
    oldest: metadata.oldest,
    highest: metadata.highest,
    max: metadata.maxVersions,
    created: metadata.createdAt,
    updated: metadata.updatedAt,
    versions: metadata.versions.map((entry) => [entry.version, entry.createdAt, entry.deletedAt]),
    extension: metadata.extension,
  });
}

/** Throws `store_integrity`. */
export function decodeMetadata(bytes: Uint8Array): SecretMetadata {
  const record = decodeRecord(bytes);
  const { versions, extension } = record;
  if (!Array.isArray(versions) || !isRecord(extension))
    throw damaged('the metadata of a secret is incomplete');
  return {
    path: readText(record, 'path'),
    current: readNumber(record, 'current'),
    oldest: readNumber(record, 'oldest'),
    highest: readNumber(record, 'highest'),
    maxVersions: readNumber(record, 'max'),
    createdAt: readNumber(record, 'created'),
    updatedAt: readNumber(record, 'updated'),
    versions: versions.map(readVersion),
    extension,
  };
}

function readVersion(entry: unknown): SecretVersion {
  if (!Array.isArray(entry)) throw damaged('the metadata of a secret is incomplete');
  const [version, createdAt, deletedAt] = entry as readonly unknown[];
  if (isWhole(version) && isWhole(createdAt) && isWhole(deletedAt)) return { version, createdAt, deletedAt };
  throw damaged('the metadata of a secret is incomplete');
}
