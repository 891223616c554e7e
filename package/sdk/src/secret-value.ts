import { SpikeError } from '@spike/error';
import type { ValueMap } from '@spike/contract';

const shown = '[secret]';
const inspect = Symbol.for('nodejs.util.inspect.custom');

/**
 * A text that does not get into a log by accident: printing, joining, JSON and inspection show `[secret]`. It came as
 * a JavaScript string, which cannot be wiped: expose it late and let go of it early.
 */
export class SecretValue {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The value itself. */
  expose(): string {
    return this.#text;
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

  [inspect](): string {
    return shown;
  }
}

/** One version of a secret, as it was read. */
export class Secret {
  readonly path: string;
  /** Which version was read; undefined when the server does not tell. */
  readonly version: number | undefined;
  readonly #fields: ReadonlyMap<string, SecretValue>;

  constructor(path: string, version: number | undefined, values: ValueMap) {
    this.path = path;
    this.version = version;
    this.#fields = new Map(Object.entries(values).map(([key, value]) => [key, new SecretValue(value)]));
  }

  /** The names of its fields, in the order in which they are kept. */
  get keys(): readonly string[] {
    return [...this.#fields.keys()];
  }

  has(key: string): boolean {
    return this.#fields.has(key);
  }

  /** Throws SpikeError `api_not_found` when there is no field of that name. */
  field(key: string): SecretValue {
    const value = this.#fields.get(key);
    if (value === undefined)
      throw new SpikeError('api_not_found', `the secret at ${this.path} has no such field`);
    return value;
  }

  [Symbol.iterator](): IterableIterator<[string, SecretValue]> {
    return this.#fields.entries();
  }

  toString(): string {
    return shown;
  }

  toJSON(): object {
    return { path: this.path, version: this.version, keys: this.keys };
  }
}
