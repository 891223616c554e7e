/**
 * Stands in a template for a single character that is no line break: the dot of `spike.ist`, which few people escape.
 * No pattern can hold it itself, nor the others.
 */
export const anyChar = '\0';
/** Stands for all that is left of a segment, up to the next slash or the end, if it is nothing too. */
export const anyRun = '\x01';
/** The same, where something has to be left: `[^/]+`. */
export const someRun = '\x02';

const [anyCode, anyRunCode, someRunCode] = [anyChar, anyRun, someRun].map((mark) => mark.charCodeAt(0));

/** A whole pattern as a text with some places left open, for which there is one way only to match a subject. */
export interface Template {
  readonly text: string;
  /** For each run in the text, what it has to be made of; a sticky expression over one class. */
  readonly runs: readonly RegExp[];
  /** What may stand behind the text, line breaks apart. */
  readonly rest: 'none' | 'any' | 'some';
}

/** What a template begins with, up to the first place that it leaves open. */
export function literalStart(text: string): string {
  const open = [anyChar, anyRun, someRun].map((mark) => text.indexOf(mark)).filter((at) => at >= 0);
  return text.slice(0, Math.min(text.length, ...open));
}

/** Undefined where a dot meets what may be half a character: RE2 counts those in whole. */
export function fitsTemplate(subject: string, { text, runs, rest }: Template): boolean | undefined {
  let at = 0;
  let run = 0;
  for (let index = 0; index < text.length; index += 1) {
    const wanted = text.charCodeAt(index);
    if (wanted === anyRunCode || wanted === someRunCode) {
      const slash = subject.indexOf('/', at);
      const end = slash < 0 ? subject.length : slash;
      if (end === at ? wanted === someRunCode : !isMadeOf(runs[run], subject, at, end)) return false;
      run += 1;
      at = end;
      continue;
    }
    if (at === subject.length) return false;
    const code = subject.charCodeAt(at);
    if (wanted !== code) {
      if (wanted !== anyCode || code === 0x0a) return false;
      if (code > 0x7f) return undefined;
    }
    at += 1;
  }
  if (rest === 'none') return at === subject.length;
  return (rest === 'any' || at < subject.length) && !subject.includes('\n', at);
}

function isMadeOf(run: RegExp | undefined, subject: string, from: number, to: number): boolean {
  if (run === undefined) return false;
  run.lastIndex = from;
  return run.test(subject) && run.lastIndex === to;
}
