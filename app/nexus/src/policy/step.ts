/** Most steps of a pattern. A path has at most 500 characters, so no pattern needs more of them to match one. */
export const mostSteps = 500;

/** A Unicode class has hundreds of ranges, which are what compiling it takes time for. */
const unicodeClass = 20;

interface Group {
  steps: number;
  /** What a repetition that follows would repeat. */
  last: number;
}

/**
 * How large a pattern is once its `{n}` are written out: characters, classes, parentheses and signs, each of them as
 * one. RE2 takes time and memory by this, for compiling and for each character that it matches, and lets 500 characters
 * stand for a million of them. Reads the pattern once, before RE2 has seen it, so it may be none.
 */
export function countSteps(pattern: string): number {
  const open: Group[] = [];
  let group: Group = { steps: 0, last: 0 };
  for (let at = 0; at < pattern.length;) {
    const { kind, length, size } = readToken(pattern, at);
    at += length;
    if (kind === 'open') {
      open.push(group);
      group = { steps: 1, last: 0 };
      continue;
    }
    if (kind === 'repeat') {
      group.steps += group.last * Math.max(0, size - 1) + 1;
      group.last = group.last * Math.max(1, size) + 1;
      continue;
    }
    const outer = kind === 'close' ? open.pop() : undefined;
    if (outer !== undefined) {
      outer.last = group.steps + 1;
      outer.steps += outer.last;
      group = outer;
      continue;
    }
    group.steps += size;
    group.last = size;
  }
  return open.reduce((sum, outer) => sum + outer.steps, group.steps);
}

interface Token {
  readonly kind: 'open' | 'close' | 'repeat' | 'item';
  readonly length: number;
  /** Steps of an item, or how often a repeat repeats. */
  readonly size: number;
}

function readToken(pattern: string, at: number): Token {
  const char = pattern.charAt(at);
  if (char === '\\') return readEscape(pattern, at);
  if (char === '[') return readClass(pattern, at);
  if (char === '(') return { kind: 'open', length: 1, size: 1 };
  if (char === ')') return { kind: 'close', length: 1, size: 1 };
  if (char === '*' || char === '+' || char === '?') return { kind: 'repeat', length: 1, size: 1 };
  if (char !== '{') return { kind: 'item', length: 1, size: 1 };
  const counted = /^\{(\d+)(?:,(\d*))?\}/.exec(pattern.slice(at, at + 32));
  if (counted === null) return { kind: 'item', length: 1, size: 1 };
  const [text, least = '', most = ''] = counted;
  return { kind: 'repeat', length: text.length, size: Math.max(Number(least), Number(most)) };
}

function readEscape(pattern: string, at: number): Token {
  const char = pattern.charAt(at + 1);
  if (char === 'Q') {
    const end = pattern.indexOf('\\E', at + 2);
    const close = end < 0 ? pattern.length : end;
    return { kind: 'item', length: Math.min(close + 2, pattern.length) - at, size: close - at - 2 };
  }
  const size = char === 'p' || char === 'P' ? unicodeClass : 1;
  return { kind: 'item', length: escapeLength(pattern, at), size };
}

/** Braces behind `\p` and `\x` hold a name and not a number of times. */
function escapeLength(pattern: string, at: number): number {
  if (!/[pPx]/.test(pattern.charAt(at + 1))) return 2;
  if (pattern.charAt(at + 2) !== '{') return pattern.charAt(at + 1) === 'x' ? 2 : 3;
  const close = pattern.indexOf('}', at);
  return close < 0 ? pattern.length - at : close + 1 - at;
}

function readClass(pattern: string, from: number): Token {
  let at = from + 1;
  let size = 1;
  if (pattern.charAt(at) === '^') at += 1;
  if (pattern.charAt(at) === ']') at += 1;
  while (at < pattern.length && pattern.charAt(at) !== ']') {
    const char = pattern.charAt(at);
    if (char === '\\') {
      if (/[pP]/.test(pattern.charAt(at + 1))) size += unicodeClass;
      at += escapeLength(pattern, at);
    } else {
      const end = char === '[' && pattern.charAt(at + 1) === ':' ? pattern.indexOf(':]', at + 2) : -1;
      at = end < 0 ? at + 1 : end + 2;
    }
  }
  return { kind: 'item', length: Math.min(at + 1, pattern.length) - from, size };
}
