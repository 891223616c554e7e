import { encodeFields, FieldReader } from '@spike/crypto';
import {
  maxBodyBytes,
  maxHeadBytes,
  maxKeyBytes,
  maxNonceBytes,
  tables,
  type Row,
  type Table,
} from '@spike/store';
import { toSealed } from '@spike/store/seal';
import {
  damagedBackup,
  hashBytes,
  longestFrame,
  mostTables,
  type BackupHeader,
  type BackupTrailer,
  type TableCount,
} from './format.ts';

const label = { header: 'spike/backup/header', trailer: 'spike/backup/trailer' } as const;
const mostShares = 255;
const longestName = 64;

export function encodeHeader(header: BackupHeader): Uint8Array {
  const { instance, createdAt, release, schema, suite, revision, keyringEpoch, recoverable, recovery } =
    header;
  return encodeFields(
    label.header,
    instance,
    createdAt,
    release,
    schema,
    suite,
    revision,
    keyringEpoch,
    recoverable ? 1 : 0,
    recovery.threshold,
    recovery.count,
    recovery.generation,
    Buffer.concat(recovery.digests),
  );
}

export function decodeHeader(bytes: Uint8Array): BackupHeader {
  const reader = new FieldReader(bytes);
  if (reader.text(longestName) !== label.header) throw damagedBackup('its header is none');
  const header = {
    instance: reader.text(longestName),
    createdAt: reader.integer(),
    release: reader.text(longestName),
    schema: reader.integer(),
    suite: reader.integer(),
    revision: reader.integer(),
    keyringEpoch: reader.integer(),
    recoverable: reader.integer(1) === 1,
  };
  const threshold = reader.integer(mostShares);
  const count = reader.integer(mostShares);
  const generation = reader.integer();
  const joined = reader.exactly(count * hashBytes);
  reader.end();
  if (threshold < 1 || threshold > count) throw damagedBackup('its threshold is impossible');
  const digests = Array.from({ length: count }, (_, index) =>
    joined.subarray(index * hashBytes, (index + 1) * hashBytes),
  );
  return { ...header, recovery: { threshold, count, generation, digests } };
}

export function encodeHead(revision: number, bytes: Uint8Array): Uint8Array {
  return encodeFields(revision, bytes);
}

export function decodeHead(payload: Uint8Array): { readonly revision: number; readonly bytes: Uint8Array } {
  const reader = new FieldReader(payload);
  const revision = reader.integer();
  const bytes = reader.bytes(maxHeadBytes);
  reader.end();
  return { revision, bytes };
}

export function encodeCheckpoint(text: string): Uint8Array {
  return encodeFields(text);
}

export function decodeCheckpoint(payload: Uint8Array): string {
  const reader = new FieldReader(payload);
  const text = reader.text(longestFrame.checkpoint);
  reader.end();
  return text;
}

export function encodeRow(table: Table, row: Row): Uint8Array {
  const { key, format, suite, term, revision, version, field, nonce, body } = row;
  return encodeFields(table, key, format, suite, term, revision, version, field, nonce, body);
}

export function decodeRow(payload: Uint8Array): { readonly table: Table; readonly row: Row } {
  const reader = new FieldReader(payload);
  const table = readTable(reader);
  const key = reader.bytes(maxKeyBytes);
  const [format, suite, term] = [reader.integer(), reader.integer(), reader.integer()];
  const [revision, version, field] = [reader.integer(), reader.integer(), reader.integer()];
  const nonce = reader.bytes(maxNonceBytes);
  const body = toSealed(reader.bytes(maxBodyBytes));
  reader.end();
  if (key.byteLength === 0) throw damagedBackup('a record has no key');
  return { table, row: { key, format, suite, term, revision, version, field, nonce, body } };
}

/** Without the hash over all that is before it, which the writer puts behind. */
export function encodeTrailer({ counts, key, mac }: Omit<BackupTrailer, 'digest'>): Uint8Array {
  return encodeFields(
    label.trailer,
    counts.length,
    ...counts.flatMap(({ table, rows }) => [table, rows]),
    key,
    mac,
  );
}

export function decodeTrailer(bytes: Uint8Array): Omit<BackupTrailer, 'digest'> {
  const reader = new FieldReader(bytes);
  if (reader.text(longestName) !== label.trailer) throw damagedBackup('its end is none');
  const counts: TableCount[] = Array.from({ length: reader.integer(mostTables) }, () => ({
    table: readTable(reader),
    rows: reader.integer(),
  }));
  const trailer = { counts, key: reader.integer(), mac: reader.exactly(hashBytes) };
  reader.end();
  return trailer;
}

function readTable(reader: FieldReader): Table {
  const name = reader.text(longestName);
  const table = tables.find((known) => known === name);
  if (table === undefined) throw damagedBackup('it has a table that this release does not know');
  return table;
}
