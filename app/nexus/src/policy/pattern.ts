import { SpikeError } from '@spike/error';
import type { Programs } from './program.ts';
import { countSteps, mostSteps } from './step.ts';
import { readShape, type Shape } from './syntax.ts';
import { fitsTemplate, literalStart } from './template.ts';

// Each repetition stands alone and none of their character sets overlap where they meet, so a backtracking engine
// has one way only to read the subject: the checks are linear. The original's nested form `(/[…/]+)*` is the same
// language, because its inner set holds the slash, and exponential here (wire.md 13).
const pathShape = /^[a-zA-Z0-9._\-/^$()?+*|[\]{}\\]{1,500}$/;
const spiffeShape = /^\^?spiffe:\/\/[\\a-zA-Z0-9.\-*()+?[\]]+(?:\/[\\/a-zA-Z0-9._\-*()+?[\]]+)?\$?$/;

/** Longest SPIFFE ID pattern in characters. An ID has at most 2048 bytes, and every character of it may be escaped. */
const maxSpiffePattern = 4096;

/**
 * One pattern. RE2 semantics, which are linear in the subject, and always against the whole subject: a
 * search for a match anywhere, as in the original, gives `tenants/a` on `other/tenants/a-secret` too.
 */
export class Pattern {
  readonly source: string;
  readonly #shape: Shape;

  private constructor(source: string) {
    this.source = source;
    this.#shape = readShape(source);
  }

  /** A pattern over secret paths. Throws `data_invalid_input`. */
  static parsePath(source: string, programs: Programs): Pattern {
    if (!pathShape.test(source)) {
      throw new SpikeError(
        'data_invalid_input',
        'a path pattern has 1 to 500 characters, of letters, digits and ._-/^$()?+*|[]{}\\',
      );
    }
    return Pattern.#parse(source, 'path', programs);
  }

  /** A pattern over SPIFFE IDs. Throws `data_invalid_input`. */
  static parseSpiffe(source: string, programs: Programs): Pattern {
    if (source.length > maxSpiffePattern || !spiffeShape.test(source)) {
      throw new SpikeError(
        'data_invalid_input',
        'a SPIFFE ID pattern begins with spiffe:// (^ may stand before it, $ behind), names a trust domain, and ' +
          `holds only letters, digits and ._-/\\*()+?[], ${String(maxSpiffePattern)} characters at most`,
      );
    }
    return Pattern.#parse(source, 'SPIFFE ID', programs);
  }

  /** A pattern that was parsed before it was stored: compiled when it is first asked, and then once. */
  static restore(source: string): Pattern {
    return new Pattern(source);
  }

  static #parse(source: string, noun: string, programs: Programs): Pattern {
    const pattern = new Pattern(source);
    const steps = pattern.#shape.simple === undefined ? countSteps(source) : 0;
    if (steps > mostSteps) {
      throw new SpikeError(
        'data_invalid_input',
        `the ${noun} pattern is too large: with every {n} written out it has ${steps < 1e9 ? String(steps) : 'over a billion'} ` +
          `steps, and ${String(mostSteps)} are the most (a character or a class is one, \\p is twenty); write * or + instead of {n}, or a smaller n`,
      );
    }
    try {
      programs.get(source);
      return pattern;
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
    return simple?.rest === 'none' && literalStart(simple.text) === simple.text ? simple.text : undefined;
  }

  /** Would an unanchored search find no more than this does, as far as the structure tells? */
  get closedLeft(): boolean {
    return this.#shape.closedLeft;
  }

  get closedRight(): boolean {
    return this.#shape.closedRight;
  }

  /** The subject in which the original's unanchored search would find this first. For the guard of reserved paths only. */
  findIn(subjects: readonly string[], programs: Programs): string | undefined {
    const program = programOf(this.source, programs);
    return subjects.find((subject) => program.test(subject));
  }

  /** Throws `store_integrity` when a restored pattern is none that this release understands. */
  matches(subject: string, programs: Programs): boolean {
    const { simple, parts } = this.#shape;
    // Most patterns are a text, a subtree, or leave a segment open; they cost a comparison.
    const fits = simple === undefined ? undefined : fitsTemplate(subject, simple);
    if (fits !== undefined) return fits;
    // Finding a text is much cheaper than asking RE2, let alone compiling for it: many policies may begin with .*
    if (parts.length > 0 && !parts.some((part) => subject.includes(part))) return false;
    return programOf(this.source, programs).testExact(subject);
  }
}

function programOf(source: string, programs: Programs): ReturnType<Programs['get']> {
  try {
    return programs.get(source);
  } catch (cause) {
    throw new SpikeError('store_integrity', 'a stored policy has a pattern that does not compile', { cause });
  }
}
