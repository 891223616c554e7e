import { makeRow } from '@spike/store/suite';
import { toSealed } from '@spike/store/seal';
import type { Row, Table } from '@spike/store';
import { BackupParser, BackupWriter, type BackupHeader, type Frame } from '../index.ts';

export const sampleHeader: BackupHeader = {
  instance: '8c9e5b1e-6a35-4a55-9f0f-2d9f7f1f6a10',
  createdAt: 1_790_000_000_000,
  release: '0.1.0',
  schema: 1,
  suite: 1,
  revision: 7,
  keyringEpoch: 1,
  recoverable: true,
  recovery: {
    threshold: 2,
    count: 3,
    generation: 1,
    digests: [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte)),
  },
};

export interface Content {
  readonly checkpoints: readonly string[];
  readonly tables: readonly { readonly table: Table; readonly rows: readonly Row[] }[];
}

export const sampleContent: Content = {
  checkpoints: ['a checkpoint\n'],
  tables: [
    { table: 'secret', rows: [makeRow('a'), makeRow('b', { body: toSealed(new Uint8Array(100).fill(3)) })] },
    { table: 'policy', rows: [makeRow('a', { revision: 9, version: 2, field: 1, term: 3 })] },
  ],
};

/** A whole backup as its writer makes it. */
export function writeSample(content: Content = sampleContent, header = sampleHeader): Buffer {
  const writer = new BackupWriter();
  return Buffer.concat([
    writer.header(header),
    writer.head(header.revision, new Uint8Array(200).fill(5)),
    ...content.checkpoints.map((text) => writer.checkpoint(text)),
    ...content.tables.flatMap(({ table, rows }) => rows.map((row) => writer.row(table, row))),
    writer.trailer((digest) => ({ key: 1, mac: Uint8Array.from(digest) })).bytes,
  ]);
}

export function parseWhole(bytes: Uint8Array, step = bytes.length): Frame[] {
  const parser = new BackupParser();
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length; at += step) frames.push(...parser.push(bytes.subarray(at, at + step)));
  parser.end();
  return frames;
}
