import { anyChar, anyRun, someRun, type Template } from './template.ts';

/**
 * What can be said about an RE2 pattern from its structure alone: which literal text every match begins with, and
 * whether an unanchored search could find less than the whole subject. It reads a pattern that RE2 has accepted
 * already, and where it is unsure it claims less: a shorter prefix, an open end.
 */
export interface Shape {
  /** Each match of the whole pattern begins with one of these templates; never empty. `''` says nothing. */
  readonly prefixes: readonly string[];
  /** Set where the pattern is this template and nothing else. */
  readonly simple?: Template;
  /** Each match holds one of these texts; none where nothing can be told. */
  readonly parts: readonly string[];
  /** Whatever an unanchored search finds begins at the subject's start, or could. */
  readonly closedLeft: boolean;
  /** Whatever an unanchored search finds ends at the subject's end, or could. */
  readonly closedRight: boolean;
}

/** `class` is a set of characters that has no slash. */
type Kind = 'char' | 'any' | 'class' | 'begin' | 'end' | 'flags' | 'group' | 'other';

interface Item {
  readonly kind: Kind;
  readonly text: string;
  readonly branches: readonly (readonly Item[])[];
  /** '' for exactly once. */
  repeat: '' | 'star' | 'plus' | 'other';
}

/**
 * A class that names the slash in what it leaves out, or names only characters and ranges that can't hold it. A hyphen
 * stands first or last: between two others it makes a range, such as `[.-9]`.
 */
const hasNoSlash =
  /^\[(?:\^\/[a-zA-Z0-9_.]*|-?(?:[a-z]-[a-z]|[A-Z]-[A-Z]|\d-\d|[a-zA-Z0-9_.]|\\[dw.])+-?)\]$/;

const unknownShape: Shape = { prefixes: [''], parts: [], closedLeft: false, closedRight: false };

export function readShape(pattern: string): Shape {
  // Inside of \Q…\E every character is literal, brackets too: not worth following.
  if (pattern.includes('\\Q')) return unknownShape;
  const reader = new Reader(pattern);
  const branches = reader.branches(0);
  if (branches === undefined || !reader.done) return unknownShape;
  const only = branches.length === 1 ? branches[0] : undefined;
  const simple = only === undefined ? undefined : readSimple(only);
  // A flag holds up to the end of its group, for the alternatives behind it as well, and (?i) unmakes every literal.
  const flagged = branches.some((branch) => branch.some((item) => item.kind === 'flags'));
  return {
    prefixes: flagged ? [''] : [...new Set(branches.map((branch) => literalPrefix(branch)))],
    ...(simple === undefined ? {} : { simple }),
    parts: flagged ? [] : readParts(branches),
    closedLeft: branches.every((branch) => isClosed(branch, 'left')),
    closedRight: branches.every((branch) => isClosed(branch, 'right')),
  };
}

function literalPrefix(branch: readonly Item[]): string {
  let prefix = '';
  // What can't match a slash ends before the next one, however often it is repeated.
  let inRun = false;
  for (const item of branch) {
    if (item.kind === 'begin' && item.repeat === '' && prefix === '' && !inRun) continue;
    const once = item.repeat === '' || item.repeat === 'plus';
    if (item.kind === 'char' && item.text === '/') {
      if (!once) break;
      prefix += inRun ? anyRun + item.text : item.text;
      inRun = false;
      if (item.repeat !== '') break;
    } else if (item.kind === 'class' || (item.kind === 'char' && (inRun || item.repeat !== ''))) {
      if (item.kind === 'char' && once && !inRun) prefix += item.text;
      inRun = true;
    } else {
      if (inRun || (item.kind !== 'char' && item.kind !== 'any')) break;
      if (once) prefix += toTemplate(item);
      if (item.repeat !== '') break;
    }
  }
  return prefix;
}

/** The longest text of each alternative that has to stand in a match somewhere. */
function readParts(branches: readonly (readonly Item[])[]): readonly string[] {
  const parts = branches.map((branch) => {
    let longest = '';
    let text = '';
    for (const item of branch) {
      const isText = item.kind === 'char' && (item.repeat === '' || item.repeat === 'plus');
      text = isText ? text + item.text : '';
      if (text.length > longest.length) longest = text;
      if (item.repeat !== '') text = '';
    }
    return longest;
  });
  return parts.includes('') ? [] : parts;
}

function readSimple(branch: readonly Item[]): Template | undefined {
  let items = branch;
  if (items[0]?.kind === 'begin' && items[0].repeat === '') items = items.slice(1);
  const last = items.at(-1);
  if (last?.kind === 'end' && last.repeat === '') items = items.slice(0, -1);
  const tail = items.at(-1);
  let rest: 'none' | 'any' | 'some' = 'none';
  if (tail?.kind === 'any' && (tail.repeat === 'star' || tail.repeat === 'plus')) {
    rest = tail.repeat === 'star' ? 'any' : 'some';
    items = items.slice(0, -1);
  }
  let text = '';
  const runs: RegExp[] = [];
  for (const [index, item] of items.entries()) {
    if ((item.kind === 'char' || item.kind === 'any') && item.repeat === '') {
      text += toTemplate(item);
      continue;
    }
    // Only what a slash or the end stands behind has one way to match: all that is left of its segment.
    const next = items[index + 1];
    if (!isRun(item) || !(next === undefined ? rest === 'none' : isSlash(next))) return undefined;
    text += item.repeat === 'plus' ? someRun : anyRun;
    runs.push(new RegExp(`${item.text}+`, 'y'));
  }
  return { text, runs, rest };
}

/** Of these classes JavaScript has the same idea as RE2; of `\\s` it has not. */
function isRun(item: Item): boolean {
  return item.kind === 'class' && item.text !== '\\s' && (item.repeat === 'star' || item.repeat === 'plus');
}

function isSlash(item: Item): boolean {
  return item.kind === 'char' && item.text === '/' && item.repeat === '';
}

function toTemplate(item: Item): string {
  return item.kind === 'any' ? anyChar : item.text;
}

/** Does the branch have an anchor at this end, or something that takes all that is left? */
function isClosed(branch: readonly Item[], side: 'left' | 'right'): boolean {
  const items = branch.filter((item) => item.kind !== 'flags');
  const item = side === 'left' ? items[0] : items.at(-1);
  if (item === undefined) return false;
  if (item.kind === (side === 'left' ? 'begin' : 'end')) return item.repeat === '';
  if (item.kind === 'any') return item.repeat === 'star' || item.repeat === 'plus';
  if (item.kind !== 'group' || item.repeat !== '') return false;
  return item.branches.every((inner) => isClosed(inner, side));
}

class Reader {
  readonly #pattern: string;
  #at = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  get done(): boolean {
    return this.#at === this.#pattern.length;
  }

  /** The alternatives up to the end or the closing parenthesis; undefined where this reader loses its way. */
  branches(depth: number): Item[][] | undefined {
    if (depth > 250) return undefined;
    let branch: Item[] = [];
    const branches = [branch];
    for (;;) {
      const char = this.#pattern[this.#at];
      if (char === undefined || char === ')') return branches;
      this.#at += 1;
      if (char === '|') {
        branches.push((branch = []));
        continue;
      }
      const last = branch.at(-1);
      if ((char === '*' || char === '+' || char === '?' || char === '{') && last !== undefined) {
        this.#repeat(char, last);
        continue;
      }
      const item = this.#item(char, depth);
      if (item === undefined) return undefined;
      branch.push(item);
    }
  }

  #repeat(char: string, item: Item): void {
    // A second sign after a repeat makes it lazy, which changes what a search prefers and not what matches.
    if (item.repeat === '') item.repeat = char === '*' ? 'star' : char === '+' ? 'plus' : 'other';
    else if (char !== '?') item.repeat = 'other';
    // {n,m}, or a literal brace; either way nothing is claimed about what stands before it and inside of it.
    if (char !== '{') return;
    while (/[0-9,]/.test(this.#pattern[this.#at] ?? '')) this.#at += 1;
    if (this.#pattern[this.#at] === '}') this.#at += 1;
  }

  #item(char: string, depth: number): Item | undefined {
    switch (char) {
      case '.':
        return make('any', char);
      case '^':
        return make('begin', char);
      case '$':
        return make('end', char);
      case '[':
        return this.#charClass();
      case '(':
        return this.#group(depth);
      case '\\':
        return this.#escape();
      case '{':
        return make('other', char);
      default:
        return make('char', char);
    }
  }

  #escape(): Item | undefined {
    const char = this.#pattern[this.#at];
    if (char === undefined) return undefined;
    this.#at += 1;
    if (char === 'A') return make('begin', char);
    if (char === 'z') return make('end', char);
    if (char === 'd' || char === 'w' || char === 's') return make('class', `\\${char}`);
    if (!/[a-zA-Z0-9]/.test(char)) return make('char', char);
    // Of what goes on behind the letter, such as `\x2f` and `\pL`, nothing is claimed.
    return /[DWSbBafnrtv]/.test(char) ? make('other', char) : undefined;
  }

  #charClass(): Item | undefined {
    const from = this.#at - 1;
    if (this.#pattern[this.#at] === '^') this.#at += 1;
    let first = true;
    for (;;) {
      const char = this.#pattern[this.#at];
      if (char === undefined) return undefined;
      if (char === ']' && !first) break;
      first = false;
      const named = char === '[' && this.#pattern[this.#at + 1] === ':';
      const end = named ? this.#pattern.indexOf(':]', this.#at + 2) : -1;
      if (end >= 0) this.#at = end + 2;
      else this.#at += char === '\\' ? 2 : 1;
    }
    this.#at += 1;
    const text = this.#pattern.slice(from, this.#at);
    return make(hasNoSlash.test(text) ? 'class' : 'other', text);
  }

  #group(depth: number): Item | undefined {
    let flags = false;
    if (this.#pattern[this.#at] === '?') {
      const close = /^\?[a-zA-Z-]*\)/.exec(this.#pattern.slice(this.#at, this.#at + 32));
      if (close !== null) {
        this.#at += close[0].length;
        return make('flags', close[0]);
      }
      flags = true;
      const head = /^\?(?:P?<\w+>|[a-zA-Z-]*:)/.exec(this.#pattern.slice(this.#at, this.#at + 260));
      if (head === null) return undefined;
      this.#at += head[0].length;
    }
    const branches = this.branches(depth + 1);
    if (branches === undefined || this.#pattern[this.#at] !== ')') return undefined;
    this.#at += 1;
    return flags ? make('other', '()') : { kind: 'group', text: '()', branches, repeat: '' };
  }
}

function make(kind: Kind, text: string): Item {
  return { kind, text, branches: [], repeat: '' };
}
