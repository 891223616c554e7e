import { BackupParser, damagedBackup, type BackupHeader, type TableCount } from '@spike/backup';
import { openStream } from '@spike/backup/age';
import { backupPieceBytes } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { open, type FileHandle } from 'node:fs/promises';

const readBytes = 256 * 1024;

/** A sealed backup on a disk, which is read from its beginning as often as it is needed. */
export class BackupFile implements AsyncDisposable {
  readonly path: string;
  readonly size: number;
  readonly #file: FileHandle;
  readonly #identities: readonly string[];

  private constructor(path: string, size: number, file: FileHandle, identities: readonly string[]) {
    this.path = path;
    this.size = size;
    this.#file = file;
    this.#identities = identities;
  }

  /** Throws SpikeError `data_invalid_input` for what is no readable file. */
  static async open(path: string, identities: readonly string[]): Promise<BackupFile> {
    const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
      const reason = error.code === 'ENOENT' ? 'there is no such file' : (error.code ?? '');
      throw new SpikeError('data_invalid_input', `${path} cannot be read: ${reason}`, { cause: error });
    });
    const stat = await file.stat();
    if (stat.isFile()) return new BackupFile(path, stat.size, file, identities);
    await file.close();
    throw new SpikeError('data_invalid_input', `${path} is no regular file, so it cannot be read twice`);
  }

  /** What is in it, opened with age. Throws as `openStream` does. */
  async *read(
    onBytes: (count: number, bytes: Uint8Array) => void,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const sealed = readSealed(this.#file, onBytes, signal);
    for await (const chunk of await openStream(sealed, this.#identities)) yield chunk;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

async function* readSealed(
  file: FileHandle,
  onBytes: (count: number, bytes: Uint8Array) => void,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (let at = 0; ;) {
    signal.throwIfAborted();
    const buffer = Buffer.allocUnsafeSlow(readBytes);
    const { bytesRead } = await file.read(buffer, 0, readBytes, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    const bytes = buffer.subarray(0, bytesRead);
    onBytes(bytesRead, bytes);
    yield bytes;
  }
}

/** What can be known of a backup without a key of its instance. */
export interface Outline {
  readonly header: BackupHeader;
  readonly counts: readonly TableCount[];
  /** In hex: its name. */
  readonly digest: string;
}

/** Where the pieces of a backup go. */
export interface Receiver {
  /** Everything up to the end of the head; what it answers is awaited before anything else is sent. */
  start(bytes: Uint8Array, header: BackupHeader): Promise<void>;
  /** The next bytes, at this offset. */
  feed(bytes: Uint8Array, offset: number): Promise<void>;
}

/**
 * Reads a backup to its end, checks form, order, counts and hash, and hands it on piece by piece. The last piece is
 * handed on only when all was as it should be. Throws SpikeError `data_invalid_input`.
 */
export async function passOn(plaintext: AsyncIterable<Uint8Array>, receiver: Receiver): Promise<Outline> {
  const parser = new BackupParser();
  const pieces = new Pieces();
  let header: BackupHeader | undefined;
  let outline: Outline | undefined;
  let startBytes: number | undefined;
  for await (const chunk of plaintext) {
    pieces.add(chunk);
    for (const frame of parser.push(chunk)) {
      if (frame.kind === 'header') header = frame.header;
      if (frame.kind === 'head') startBytes = parser.bytes;
      if (frame.kind !== 'trailer' || header === undefined) continue;
      const { counts, digest } = frame.trailer;
      outline = { header, counts, digest: Buffer.from(digest).toString('hex') };
    }
    if (startBytes === undefined || header === undefined) continue;
    if (pieces.offset === 0) await receiver.start(pieces.take(startBytes).bytes, header);
    while (pieces.length > backupPieceBytes) {
      const piece = pieces.take(backupPieceBytes);
      await receiver.feed(piece.bytes, piece.offset);
    }
  }
  parser.end();
  if (outline === undefined) throw damagedBackup('its end is missing');
  const last = pieces.take(pieces.length);
  await receiver.feed(last.bytes, last.offset);
  return outline;
}

/** Bytes on their way, and where in the whole they are. */
class Pieces {
  #waiting: Uint8Array[] = [];
  length = 0;
  offset = 0;

  add(chunk: Uint8Array): void {
    this.#waiting.push(chunk);
    this.length += chunk.length;
  }

  take(count: number): { readonly bytes: Uint8Array; readonly offset: number } {
    const whole = Buffer.concat(this.#waiting, this.length);
    const piece = { bytes: whole.subarray(0, count), offset: this.offset };
    this.#waiting = [whole.subarray(count)];
    this.length -= piece.bytes.length;
    this.offset += piece.bytes.length;
    return piece;
  }
}
