import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { Pattern } from './pattern.ts';
import { Programs } from './program.ts';
import { countSteps, mostSteps } from './step.ts';
import { pathPattern } from './testing/arbitrary.ts';

const programs = new Programs();

test('steps are the signs of a pattern with its counted repetitions written out', () => {
  const cases: [string, number][] = [
    ['abc', 3],
    ['a{10}', 11],
    ['a{1}', 2],
    ['a{0}', 2],
    ['a{', 2],
    ['a{x}', 4],
    ['(ab){10}', 41],
    ['((a{10}){10}){10}', 1_331],
    ['[a-z0-9]{63}', 64],
    ['[]a{9}]{2}', 3],
    ['[[:alpha:]]{2}', 3],
    ['\\{{3}', 4],
    ['\\Qa{9}b\\E', 5],
    ['\\p{Greek}', 20],
    ['[\\pL\\x{10}]{3}', 64],
    ['a|b', 3],
    ['a*b+?', 5],
    ['(', 1],
    ['((a', 3],
    [')', 1],
    ['', 0],
  ];
  for (const [source, steps] of cases) assert.equal(countSteps(source), steps, source);
  assert.equal(countSteps(`${'('.repeat(150)}a${'){1000}'.repeat(150)}`), Infinity);
});

test('what RE2 makes of a pattern is no larger than its steps tell, whatever they are', () => {
  const repeated = fc
    .tuple(pathPattern, fc.integer({ min: 0, max: 40 }), pathPattern)
    .map(([inner, times, rest]) => `(${inner}){${String(times)}}${rest}`);
  const odd = fc
    .array(
      fc.constantFrom(
        '\\Q',
        '\\E',
        '[',
        ']',
        '[^',
        '[:',
        ':]',
        '{3}',
        '{',
        '}',
        '(',
        ')',
        'a',
        '\\',
        '\\p{L}',
        '?',
      ),
      { maxLength: 12 },
    )
    .map((parts) => parts.join(''));
  let compared = 0;
  fc.assert(
    fc.property(fc.oneof(pathPattern, repeated, odd), (source) => {
      let program: RE2JS;
      try {
        program = RE2JS.compile(source);
      } catch {
        return;
      }
      compared += 1;
      assert.ok(program.programSize() <= 2 * countSteps(source) + 10, source);
    }),
    { numRuns: 3000 },
  );
  assert.ok(compared > 1000);
});

test('a pattern that RE2 would take long for is refused before RE2 sees it, and told what to write', () => {
  const started = process.cpuUsage().user;
  for (const source of [
    'a{501}',
    'a{1000}'.repeat(70),
    `(${'a|b*|'.repeat(90)}c){900}`,
    `(${'\\pL'.repeat(160)}){1000}`,
    '((a{10}){10}){10}'.repeat(26),
    '\\pL'.repeat(26),
  ]) {
    assert.throws(() => Pattern.parsePath(source, programs), {
      code: 'data_invalid_input',
      message: /has [\da-z ]+ steps, and 500 are the most .* write \* or \+ instead of \{n\}/,
    });
  }
  for (const tail of ['a?', '\\pL', '(a*)*', '[a-z]+b']) {
    const source = `spiffe://a/${tail.repeat(Math.floor(4000 / tail.length))}`;
    assert.throws(() => Pattern.parseSpiffe(source, programs), { message: /too large/ });
  }
  assert.ok(process.cpuUsage().user - started < 500_000);
});

test('no pattern without counted repetitions or Unicode classes is too large for a path, nor a spelled-out SPIFFE ID', () => {
  for (const piece of ['a', 'a?', '(|)', '(a*)*', '[^/]+/', '()', '\\W', '[[:alpha:]]'])
    assert.ok(countSteps(piece.repeat(Math.floor(500 / piece.length))) <= mostSteps, piece);
  const id = `^spiffe://spike\\.ist/${'a\\.b/'.repeat(800)}c$`;
  assert.equal(Pattern.parseSpiffe(id, programs).source, id);
  assert.equal(Pattern.parsePath('^([a-z0-9-]{63}/){7}[^/]+$', programs).prefixes[0], '');
});
