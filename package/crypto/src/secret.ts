import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

const shown = '[secret]';

/**
 * Bytes that must not be printed, serialised or compared by accident. `expose` is the only way to them, and what it
 * hands out is the secret itself, not a copy: don't keep it. After `dispose` the bytes are zero and `expose` throws
 * TypeError. `assert.deepStrictEqual` can't see into it and passes for different secrets: compare with `equals`.
 */
export class Secret implements Disposable {
  readonly #bytes: Uint8Array;
  #disposed = false;

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Copies the bytes and wipes the caller's. */
  static take(bytes: Uint8Array): Secret {
    // Own memory, since Buffer.from would take it from the pool that unrelated buffers share.
    const own = new Uint8Array(bytes.length);
    own.set(bytes);
    bytes.fill(0);
    return new Secret(own);
  }

  get length(): number {
    return this.#bytes.length;
  }

  expose<T>(use: (bytes: Uint8Array) => T): T {
    if (this.#disposed) throw new TypeError('this secret has been wiped');
    return use(this.#bytes);
  }

  /** A secret of its own with the same bytes. */
  clone(): Secret {
    return this.expose((bytes) => Secret.take(Uint8Array.from(bytes)));
  }

  equals(other: Secret): boolean {
    return this.expose((mine) =>
      other.expose((theirs) => mine.length === theirs.length && timingSafeEqual(mine, theirs)),
    );
  }

  dispose(): void {
    this.#disposed = true;
    this.#bytes.fill(0);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  toString(): string {
    return shown;
  }

  toJSON(): string {
    return shown;
  }

  [Symbol.toPrimitive](): string {
    return shown;
  }

  [inspect.custom](): string {
    return shown;
  }
}
