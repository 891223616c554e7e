import { SpiffeError } from '../error.ts';

/** gRPC's own default limit of a received message, in bytes. */
export const defaultMessageLimit = 4 * 1024 * 1024;

const prefixLength = 5;

/** A message with its gRPC prefix: one byte that says "not compressed", four of length. */
export function encodeFrame(message: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(prefixLength + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, prefixLength);
  return frame;
}

/** Cuts a stream of bytes into messages. A length above the limit is refused before a byte of it is kept. */
export class FrameReader {
  readonly #limit: number;
  #chunks: Uint8Array[] = [];
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Throws SpiffeError `limit_exceeded` or `protocol_invalid`, after which nothing more is to be pushed. */
  *push(chunk: Uint8Array): Generator<Uint8Array, void, undefined> {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    while (this.#held >= prefixLength) {
      const length = this.#readPrefix();
      if (this.#held < prefixLength + length) return;
      const held = this.#join();
      const end = prefixLength + length;
      this.#chunks = held.length > end ? [held.subarray(end)] : [];
      this.#held = held.length - end;
      yield held.subarray(prefixLength, end);
    }
  }

  /** To be called when the stream is over: throws `protocol_invalid` when it ended within a message. */
  end(): void {
    if (this.#held > 0) throw new SpiffeError('protocol_invalid', 'gRPC: the stream ended within a message');
  }

  #readPrefix(): number {
    const first = this.#chunks[0];
    const prefix = first !== undefined && first.length >= prefixLength ? first : this.#join();
    // Compression is never offered (grpc-encoding: identity), so a set flag is a peer that does not listen.
    if (prefix[0] !== 0) throw new SpiffeError('protocol_invalid', 'gRPC: a message is marked as compressed');
    const length = new DataView(prefix.buffer, prefix.byteOffset).getUint32(1);
    if (length > this.#limit) {
      throw new SpiffeError(
        'limit_exceeded',
        `gRPC: a message of ${length} bytes is larger than ${this.#limit}`,
      );
    }
    return length;
  }

  #join(): Uint8Array {
    const [only] = this.#chunks;
    if (this.#chunks.length === 1 && only !== undefined) return only;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}
