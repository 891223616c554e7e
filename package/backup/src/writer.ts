import { createHash } from 'node:crypto';
import type { Row, Table } from '@spike/store';
import { encodeCheckpoint, encodeHead, encodeHeader, encodeRow, encodeTrailer } from './frame.ts';
import {
  backupFormat,
  frameHeadBytes,
  frameKinds,
  hashBytes,
  magic,
  type BackupHeader,
  type FrameKind,
  type TableCount,
} from './format.ts';

/** What the writer's caller signs the content with. */
export interface BackupSeal {
  readonly key: number;
  readonly mac: Uint8Array;
}

/** Makes the bytes of a backup, in the order of its frames; each method answers what is to be written next. */
export class BackupWriter {
  readonly #hash = createHash('sha256');
  readonly #counts = new Map<Table, number>();
  #bytes = 0;

  /** Of all that was made until now. */
  get bytes(): number {
    return this.#bytes;
  }

  get counts(): readonly TableCount[] {
    return [...this.#counts].map(([table, rows]) => ({ table, rows }));
  }

  header(header: BackupHeader): Uint8Array {
    const first = Buffer.from(`${magic}${backupFormat}\n`, 'ascii');
    return this.#note(Buffer.concat([first, frame('header', encodeHeader(header))]));
  }

  head(revision: number, bytes: Uint8Array): Uint8Array {
    return this.#note(frame('head', encodeHead(revision, bytes)));
  }

  checkpoint(text: string): Uint8Array {
    return this.#note(frame('checkpoint', encodeCheckpoint(text)));
  }

  /** Rows of one table after another, in the order of their keys. */
  row(table: Table, row: Row): Uint8Array {
    this.#counts.set(table, (this.#counts.get(table) ?? 0) + 1);
    return this.#note(frame('row', encodeRow(table, row)));
  }

  /** `seal` gets the digest that names the backup. */
  trailer(seal: (digest: Uint8Array) => BackupSeal): {
    readonly bytes: Uint8Array;
    readonly digest: Uint8Array;
  } {
    const digest = this.#hash.copy().digest();
    const fields = encodeTrailer({ counts: this.counts, ...seal(digest) });
    const whole = frame('trailer', Buffer.concat([fields, Buffer.alloc(hashBytes)]));
    const end = whole.subarray(whole.length - hashBytes);
    this.#hash.update(whole.subarray(0, whole.length - hashBytes));
    end.set(this.#hash.digest());
    this.#bytes += whole.length;
    return { bytes: whole, digest };
  }

  #note(bytes: Uint8Array): Uint8Array {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    return bytes;
  }
}

function frame(kind: FrameKind, payload: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafeSlow(frameHeadBytes + payload.length);
  bytes[0] = frameKinds[kind];
  bytes.writeUInt32BE(payload.length, 1);
  bytes.set(payload, frameHeadBytes);
  return bytes;
}
