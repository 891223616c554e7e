import { SpikeError } from '@spike/error';
import {
  fromWireValues,
  type MixedValues,
  type NexusTable,
  type OutputOf,
  type SecretPath,
} from '@spike/contract';

const shown = '[secret]';
const inspect = Symbol.for('nodejs.util.inspect.custom');

/**
 * A text, or bytes, that does not get into a log by accident: printing, joining, JSON and inspection show `[secret]`.
 * It came as a JavaScript string, which cannot be wiped: expose it late and let go of it early.
 */
export class SecretValue {
  readonly #value: string | Uint8Array;

  constructor(value: string | Uint8Array) {
    this.#value = value;
  }

  /** Whether it was stored as bytes, which need not be a text. */
  get isBinary(): boolean {
    return typeof this.#value !== 'string';
  }

  /** The value itself. Throws SpikeError `data_invalid_input` for bytes: `exposeBytes` gives those. */
  expose(): string {
    if (typeof this.#value === 'string') return this.#value;
    throw new SpikeError('data_invalid_input', 'this value is binary and no text: ask for its bytes');
  }

  /** A copy of the value as bytes; those of a text are its UTF-8. */
  exposeBytes(): Uint8Array {
    return typeof this.#value === 'string' ? new TextEncoder().encode(this.#value) : this.#value.slice();
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

  constructor(path: string, version: number | undefined, values: MixedValues) {
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

/** Throws SpikeError `net_peer_connection` when the server sent something else than it says. */
export function readSecret(path: SecretPath, answer: OutputOf<NexusTable['getSecret']>): Secret {
  const { data, version, encoding } = answer;
  try {
    return new Secret(path.text, version, fromWireValues({ values: data, encoding }));
  } catch (cause) {
    throw new SpikeError('net_peer_connection', "the server's answer is not understood", { cause });
  }
}
