import { SpikeError } from '@spike/error';

const mostBytes = 500;
const mostSegments = 32;

/**
 * The path of a secret in its one canonical spelling. Only `parse` makes one, so what was authorised and what is
 * looked up are the same thing.
 */
export class SecretPath {
  readonly text: string;
  readonly segments: readonly string[];
  readonly #parsed = true;

  private constructor(segments: readonly string[]) {
    this.segments = segments;
    this.text = segments.join('/');
  }

  /**
   * Takes one leading and one trailing slash off. Throws SpikeError `data_invalid_input`, which says the rule that
   * was broken: characters of wire.md 4, 1 to 500 bytes, at most 32 segments, no empty, `.` or `..` segment.
   */
  static parse(input: string): SecretPath {
    if (input.length > mostBytes + 2) refuse(`a path has at most ${mostBytes} bytes`);
    const from = input.startsWith('/') ? 1 : 0;
    const to = input.endsWith('/') ? input.length - 1 : input.length;
    const path = input.slice(from, Math.max(from, to));
    if (path.length === 0) refuse('a path is not empty');
    if (path.length > mostBytes) refuse(`a path has at most ${mostBytes} bytes`);
    for (let i = 0; i < path.length; i++) {
      if (!isPathCode(path.charCodeAt(i))) {
        refuse('a path has only letters, digits and . _ - / ( ) ? + * | [ ] { } \\');
      }
    }
    const segments = path.split('/');
    if (segments.length > mostSegments) refuse(`a path has at most ${mostSegments} segments`);
    if (segments.includes('')) refuse('a path has no empty segment: write single slashes');
    if (segments.includes('.') || segments.includes('..')) refuse('a path has no segment . or ..');
    return new SecretPath(segments);
  }

  static is(this: void, value: unknown): value is SecretPath {
    return typeof value === 'object' && value !== null && #parsed in value;
  }

  toString(): string {
    return this.text;
  }

  toJSON(): string {
    return this.text;
  }

  equals(other: SecretPath): boolean {
    return this.#parsed && this.text === other.text;
  }
}

const marks = '._-/()?+*|[]{}\\';
const pathCodes: ReadonlySet<number> = new Set(Array.from(marks, (mark) => mark.charCodeAt(0)));

function isPathCode(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x30 && code <= 0x39) ||
    pathCodes.has(code)
  );
}

function refuse(rule: string): never {
  throw new SpikeError('data_invalid_input', rule);
}
