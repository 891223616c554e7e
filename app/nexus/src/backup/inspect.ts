import { BackupParser, damagedBackup } from '@spike/backup';
import { Share } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import { finders } from './place.ts';
import { BackupReading } from './reading.ts';
import { toReport } from './wire.ts';

const longestShares = 64 * 1024;
const lengthBytes = 4;
const shareBytes = 33;

/**
 * Reads shares and then a backup: the number of bytes of the shares (four, big-endian), 33 bytes for each (its id and its
 * value), and the backup as it is. Answers what a running Nexus would. Throws SpikeError as `BackupReading` does.
 */
export async function inspectBackup(input: AsyncIterable<Uint8Array>): Promise<ReturnType<typeof toReport>> {
  const source = input[Symbol.asyncIterator]();
  const waiting = new Waiting(source);
  const length = (await waiting.take(lengthBytes)).readUInt32BE();
  if (length > longestShares || length % shareBytes !== 0)
    throw new SpikeError('data_invalid_input', 'these are no shares');
  const shares = splitShares(await waiting.take(length));
  try {
    const start = await waiting.takeStart();
    using reading = new BackupReading({
      owner: '',
      purpose: 'restore',
      start,
      instance: undefined,
      finders,
      onOver: () => undefined,
    });
    for (const share of shares) if (reading.remaining > 0) reading.takeShare(share);
    if (reading.remaining > 0) {
      throw new SpikeError(
        'shamir_not_enough_shards',
        `${reading.remaining} more recovery shares of instance ${reading.header.instance} are needed`,
      );
    }
    for await (const chunk of waiting.rest()) await reading.feed(reading.offset, chunk, () => undefined);
    if (reading.report === undefined) throw damagedBackup('its end is missing');
    return toReport(reading.report, undefined);
  } finally {
    for (const share of shares) share[Symbol.dispose]();
  }
}

function splitShares(bytes: Uint8Array): readonly Share[] {
  const shares: Share[] = [];
  for (let at = 0; at < bytes.length; at += shareBytes) {
    shares.push(Share.take(bytes[at] ?? 0, Uint8Array.from(bytes.subarray(at + 1, at + shareBytes))));
  }
  bytes.fill(0);
  return shares;
}

/** What was read of a stream, and not used yet. */
class Waiting {
  readonly #source: AsyncIterator<Uint8Array>;
  #bytes = Buffer.alloc(0);

  constructor(source: AsyncIterator<Uint8Array>) {
    this.#source = source;
  }

  async take(count: number): Promise<Buffer> {
    while (this.#bytes.length < count) await this.#more();
    // Out of Node's pool: these may be shares, and are wiped.
    const taken = Buffer.from(Uint8Array.from(this.#bytes.subarray(0, count)));
    this.#bytes.fill(0, 0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  /** Up to the end of the head, which the parser bounds. */
  async takeStart(): Promise<Buffer> {
    const parser = new BackupParser();
    let known = 0;
    for (;;) {
      for (const { kind } of parser.push(this.#bytes.subarray(known))) {
        if (kind === 'head') return await this.take(parser.bytes);
      }
      known = this.#bytes.length;
      await this.#more();
    }
  }

  async *rest(): AsyncGenerator<Uint8Array> {
    if (this.#bytes.length > 0) yield this.#bytes;
    for (;;) {
      const { done, value } = await this.#source.next();
      if (done === true) return;
      yield value;
    }
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#source.next();
    if (done === true) throw damagedBackup('its end is missing');
    this.#bytes = Buffer.concat([this.#bytes, value]);
  }
}
