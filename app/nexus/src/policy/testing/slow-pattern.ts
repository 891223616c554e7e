import fc from 'fast-check';

/**
 * A pattern that was built and not read: it can be written down for the engine, and it matches by itself, step by
 * step, with nothing of RE2, of the index or of a regular expression in it.
 */
export interface SlowPattern {
  readonly source: string;
  /** The places at which it can end when it begins at one of these. */
  readonly ends: (subject: string, starts: ReadonlySet<number>) => ReadonlySet<number>;
}

export function matchesSlowly(pattern: SlowPattern, subject: string): boolean {
  return pattern.ends(subject, new Set([0])).has(subject.length);
}

/** One character out of those that the function names. */
function one(source: string, holds: (char: string) => boolean): SlowPattern {
  return {
    source,
    ends: (subject, starts) =>
      new Set(
        [...starts].filter((at) => at < subject.length && holds(subject.charAt(at))).map((at) => at + 1),
      ),
  };
}

function inOrder(parts: readonly SlowPattern[]): SlowPattern {
  return {
    source: parts.map((part) => part.source).join(''),
    ends: (subject, starts) => {
      let at = starts;
      for (const part of parts) at = part.ends(subject, at);
      return at;
    },
  };
}

function either(parts: readonly SlowPattern[]): SlowPattern {
  return {
    source: `(${parts.map((part) => part.source).join('|')})`,
    ends: (subject, starts) => new Set(parts.flatMap((part) => [...part.ends(subject, starts)])),
  };
}

function grouped(part: SlowPattern): SlowPattern {
  return { ...part, source: `(${part.source})` };
}

function times(part: SlowPattern, sign: string, least: number, most: number): SlowPattern {
  return {
    source: part.source + sign,
    ends: (subject, starts) => {
      let reached = starts;
      for (let round = 0; round < least; round += 1) reached = part.ends(subject, reached);
      const found = new Set(reached);
      for (let round = least; round < most && reached.size > 0; round += 1) {
        reached = new Set([...part.ends(subject, reached)].filter((at) => !found.has(at)));
        for (const at of reached) found.add(at);
      }
      return found;
    },
  };
}

const begin: SlowPattern = {
  source: '^',
  ends: (_subject, starts) => new Set([...starts].filter((at) => at === 0)),
};
const end: SlowPattern = {
  source: '$',
  ends: (subject, starts) => new Set([...starts].filter((at) => at === subject.length)),
};
const nothing: SlowPattern = { source: '', ends: (_subject, starts) => starts };

function text(source: string, meant = source): SlowPattern {
  const chars = Array.from(meant, (char) => one('', (other) => other === char));
  return { ...inOrder(chars), source };
}

const any = one('.', (char) => char !== '\n');
const single = fc.constantFrom(
  any,
  text('a'),
  text('b'),
  text('\\.', '.'),
  text('\\-', '-'),
  one('[^/]', (char) => char !== '/'),
  one('[a-c]', (char) => char >= 'a' && char <= 'c'),
  one('[^/a]', (char) => char !== '/' && char !== 'a'),
  one('[.-9]', (char) => char >= '.' && char <= '9'),
  one('[ab-]', (char) => 'ab-'.includes(char)),
  one('\\d', (char) => char >= '0' && char <= '9'),
  one('\\w', (char) => /^[a-z0-9_]$/.test(char)),
);
const words = ['a', 'b', 'ab', 'acme', 'db', 'spike', 'system', 'acl', 'secret', '7'];
const word = fc.constantFrom(...words.map((each) => text(each)));
const slash = fc.constant(text('/'));

function repeated(part: fc.Arbitrary<SlowPattern>): fc.Arbitrary<SlowPattern> {
  const signs = [
    ['*', 0, Infinity],
    ['+', 1, Infinity],
    ['?', 0, 1],
    ['*?', 0, Infinity],
    ['{2}', 2, 2],
    ['{0}', 0, 0],
  ] as const;
  return fc
    .tuple(part, fc.constantFrom(...signs))
    .map(([inner, [sign, least, most]]) => times(inner, sign, least, most));
}

const { expression } = fc.letrec<{ expression: SlowPattern; piece: SlowPattern; simple: SlowPattern }>(
  (tie) => ({
    simple: fc.oneof(
      { weight: 6, arbitrary: word },
      { weight: 5, arbitrary: slash },
      { weight: 2, arbitrary: single },
      { weight: 3, arbitrary: repeated(single) },
    ),
    piece: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 14, arbitrary: tie('simple') },
      { weight: 1, arbitrary: fc.array(tie('expression'), { minLength: 1, maxLength: 3 }).map(either) },
      { weight: 1, arbitrary: repeated(tie('expression').map(grouped)) },
    ),
    expression: fc.array(tie('piece'), { minLength: 1, maxLength: 6 }).map(inOrder),
  }),
);

const anyway = times(any, '*', 0, Infinity);
const anchors = fc.tuple(fc.constantFrom(begin, nothing), fc.constantFrom(end, nothing));

/** Path patterns, most of them such as people write. */
export const slowPathPattern: fc.Arbitrary<SlowPattern> = fc.oneof(
  fc.tuple(anchors, expression).map(([[left, right], inner]) => inOrder([left, inner, right])),
  fc
    .tuple(anchors, fc.array(word, { minLength: 1, maxLength: 2 }), fc.constantFrom(text('/'), nothing))
    .map(([[left, right], parts, between]) =>
      inOrder([left, ...parts.flatMap((part) => [part, between]), anyway, right]),
    ),
  anchors.map(([left, right]) => inOrder([left, anyway, right])),
  fc
    .tuple(anchors, fc.constantFrom('spike/system/acl', 'spike/system/secret', 'spike/system/cipher/exec'))
    .map(([[left, right], path]) => inOrder([left, text(path), right])),
);

const spiffePiece = fc.oneof(
  word,
  slash,
  repeated(
    fc.constantFrom(
      any,
      one('[a-c]', (char) => char >= 'a' && char <= 'c'),
    ),
  ).filter(({ source }) => !source.includes('{')),
);

/** SPIFFE ID patterns, and whether both ends are spelled out. */
export const slowSpiffePattern: fc.Arbitrary<SlowPattern & { readonly anchored: boolean }> = fc
  .tuple(
    anchors,
    fc.constantFrom(text('spike.ist'), text('spike\\.ist', 'spike.ist')),
    fc.oneof(
      fc.array(spiffePiece, { maxLength: 4 }),
      fc.array(word, { maxLength: 1 }).map((parts) => [...parts, anyway]),
    ),
  )
  .map(([[left, right], domain, pieces]) => ({
    ...inOrder([left, text('spiffe://'), domain, text('/a'), ...pieces, right]),
    anchored: left === begin && right === end,
  }));
