import { RE2JS } from 're2js';
import { SpikeError } from '@spike/error';
import { anyChar, readShape, type Shape } from './syntax.ts';

// Each repetition stands alone and none of their character sets overlap where they meet, so a backtracking engine
// has one way only to read the subject: the checks are linear. The original's nested form `(/[…/]+)*` is the same
// language, because its inner set holds the slash, and exponential here (wire.md 13).
const pathShape = /^[a-zA-Z0-9._\-/^$()?+*|[\]{}\\]{1,500}$/;
const spiffeShape = /^\^?spiffe:\/\/[\\a-zA-Z0-9.\-*()+?[\]]+(?:\/[\\/a-zA-Z0-9._\-*()+?[\]]+)?\$?$/;

/** Longest SPIFFE ID pattern in characters. An ID has at most 2048 bytes, and every character of it may be escaped. */
const maxSpiffePattern = 4096;

/**
 * One compiled pattern. RE2 semantics, which are linear in the subject, and always against the whole subject: a
 * search for a match anywhere, as in the original, gives `tenants/a` on `other/tenants/a-secret` too.
 */
export class Pattern {
  readonly source: string;
  readonly #shape: Shape;
  #program: RE2JS | undefined;

  private constructor(source: string) {
    this.source = source;
    this.#shape = readShape(source);
  }

  /** A pattern over secret paths. Throws `data_invalid_input`. */
  static parsePath(source: string): Pattern {
    if (!pathShape.test(source)) {
      throw new SpikeError(
        'data_invalid_input',
        'a path pattern has 1 to 500 characters, of letters, digits and ._-/^$()?+*|[]{}\\',
      );
    }
    return Pattern.#parse(source, 'path');
  }

  /** A pattern over SPIFFE IDs. Throws `data_invalid_input`. */
  static parseSpiffe(source: string): Pattern {
    if (source.length > maxSpiffePattern || !spiffeShape.test(source)) {
      throw new SpikeError(
        'data_invalid_input',
        'a SPIFFE ID pattern begins with spiffe:// (^ may stand before it, $ behind), names a trust domain, and ' +
          `holds only letters, digits and ._-/\\*()+?[], ${String(maxSpiffePattern)} characters at most`,
      );
    }
    return Pattern.#parse(source, 'SPIFFE ID');
  }

  /** A pattern that was parsed before it was stored: compiled when it is first asked, and then once. */
  static restore(source: string): Pattern {
    return new Pattern(source);
  }

  static #parse(source: string, noun: string): Pattern {
    try {
      // What it compiles to is not kept: a program takes 20 KB, and of many policies few are asked at a time.
      RE2JS.compile(source);
      return new Pattern(source);
    } catch (cause) {
      const reason = cause instanceof Error ? `: ${cause.message.slice(0, 200)}` : '';
      throw new SpikeError('data_invalid_input', `the ${noun} pattern is not an RE2 expression${reason}`, {
        cause,
      });
    }
  }

  /** Templates of what every match begins with, one for each alternative. */
  get prefixes(): readonly string[] {
    return this.#shape.prefixes;
  }

  /** The one subject that matches, where there is but one. */
  get exact(): string | undefined {
    const simple = this.#shape.simple;
    return simple?.rest === 'none' && !simple.text.includes(anyChar) ? simple.text : undefined;
  }

  /** Would an unanchored search find no more than this does, as far as the structure tells? */
  get closedLeft(): boolean {
    return this.#shape.closedLeft;
  }

  get closedRight(): boolean {
    return this.#shape.closedRight;
  }

  /** The subject in which the original's unanchored search would find this first. For the guard of reserved paths only. */
  findIn(subjects: readonly string[]): string | undefined {
    const program = compileStored(this.source);
    return subjects.find((subject) => program.test(subject));
  }

  /** Throws `store_integrity` when a restored pattern is none that this release understands. */
  matches(subject: string): boolean {
    const simple = this.#shape.simple;
    // Most patterns are a text or a subtree; they cost a comparison.
    const begins = simple === undefined ? undefined : beginsWith(subject, simple.text);
    if (simple === undefined || begins === undefined) {
      return (this.#program ??= compileStored(this.source)).testExact(subject);
    }
    if (!begins) return false;
    const more = subject.length - simple.text.length;
    if (simple.rest === 'none') return more === 0;
    return (simple.rest === 'any' || more > 0) && !subject.includes('\n', simple.text.length);
  }
}

/** Undefined where a dot meets what may be half a character; RE2 counts those in whole. */
function beginsWith(subject: string, template: string): boolean | undefined {
  if (subject.length < template.length) return false;
  for (let at = 0; at < template.length; at += 1) {
    const wanted = template.charCodeAt(at);
    const code = subject.charCodeAt(at);
    if (wanted === code) continue;
    if (wanted !== 0 || code === 0x0a) return false;
    if (code > 0x7f) return undefined;
  }
  return true;
}

function compileStored(source: string): RE2JS {
  try {
    return RE2JS.compile(source);
  } catch (cause) {
    throw new SpikeError('store_integrity', 'a stored policy has a pattern that does not compile', { cause });
  }
}
