import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { RE2JS } from 're2js';
import { SpikeError } from '@spike/error';
import { Pattern } from './pattern.ts';
import { parsePermissions } from './permission.ts';
import { parsePolicy, parsePolicyName } from './policy.ts';
import { matchesWhole, pathPattern, peerId, secretPath, spiffePattern } from './testing/arbitrary.ts';
import { Programs } from './program.ts';
import { describePitfalls } from './warning.ts';

const programs = new Programs();
const parsePath = (source: string): Pattern => Pattern.parsePath(source, programs);
const parseSpiffe = (source: string): Pattern => Pattern.parseSpiffe(source, programs);

const refused = { name: 'SpikeError', code: 'data_invalid_input' };

test('a path pattern holds the characters of wire.md 4, 1 to 500 of them, and is RE2', () => {
  for (const good of ['a', '^tenants/[^/]+/db$', '.*', '(?i)abc', 'a{3}', '\\Qa.b\\E', 'a'.repeat(500)]) {
    assert.equal(parsePath(good).source, good);
  }
  const bad = [
    '',
    'a b',
    'a:b',
    'a,b',
    'a{1,2}',
    'a\n',
    'é',
    '(?:a)',
    'a'.repeat(501),
    '(',
    'a++',
    '[',
    'a{1001}',
    '\\C',
    '\\1',
  ];
  for (const text of bad) assert.throws(() => parsePath(text), refused, text);
  assert.throws(() => parsePath('((a{100}){100}){100}'), refused);
  assert.throws(() => parsePath('a)|(b'), refused);
});

test('a SPIFFE ID pattern has the shape of wire.md 4', () => {
  for (const good of [
    'spiffe://a',
    '^spiffe://spike\\.ist/web$',
    '^spiffe://[a-z]+/a_b/.*$',
    'spiffe://a/b//c',
    'spiffe://a//',
  ]) {
    assert.equal(parseSpiffe(good).source, good);
  }
  for (const bad of [
    '',
    '.*',
    'spiffe://',
    'spiffe://a/',
    'spiffe://a_b/c',
    '^^spiffe://a',
    'spiffe://a$$',
    'http://a',
    'spiffe://a|b',
    'spiffe://a/$b',
    'spiffe://a\n',
    'x spiffe://a',
    'spiffe:///a',
  ]) {
    assert.throws(() => parseSpiffe(bad), refused, bad);
  }
});

test('the shape check of SPIFFE ID patterns is the language of the original expression', () => {
  const original = RE2JS.compile(
    '^\\^?spiffe://[\\\\a-zA-Z0-9.\\-*()+?\\[\\]]+(/[\\\\/a-zA-Z0-9._\\-*()+?\\[\\]]+)*\\$?$',
  );
  const char = fc.constantFrom(
    'a',
    'B',
    '0',
    '.',
    '-',
    '_',
    '/',
    '//',
    '\\',
    '*',
    '(',
    ')',
    '[',
    ']',
    '?',
    '+',
    '$',
    '^',
    '|',
    ' ',
  );
  const text = fc.array(char, { maxLength: 8 }).map((chars) => chars.join(''));
  fc.assert(
    fc.property(fc.constantFrom('spiffe://', '^spiffe://', 'spiffe://a', ''), text, (head, tail) => {
      const source = head + tail;
      let shape = true;
      try {
        parseSpiffe(source);
      } catch (error) {
        shape = error instanceof SpikeError && error.message.includes('is not an RE2 expression');
      }
      assert.equal(shape, original.test(source), source);
    }),
    { numRuns: 2000 },
  );
});

test('the shape check takes time in proportion to a hostile pattern', () => {
  const started = process.cpuUsage().user;
  assert.throws(() => parseSpiffe(`spiffe://a${'/'.repeat(4000)}!`), refused);
  assert.throws(() => parseSpiffe(`spiffe://a${'/'.repeat(10_000_000)}!`), refused);
  assert.ok(process.cpuUsage().user - started < 500_000);
});

test('a nested repetition is matched in linear time', () => {
  const pattern = parsePath('(a+)+$');
  const started = process.cpuUsage().user;
  assert.equal(pattern.matches(`${'a'.repeat(400)}b`, programs), false);
  assert.equal(pattern.matches('a'.repeat(400), programs), true);
  assert.ok(process.cpuUsage().user - started < 500_000);
});

test('a pattern matches what RE2 matches over the whole subject, and begins as it says', () => {
  const pattern = fc.oneof(
    fc.tuple(pathPattern, fc.constant('path' as const), secretPath),
    fc.tuple(spiffePattern, fc.constant('id' as const), peerId),
  );
  let compared = 0;
  fc.assert(
    fc.property(pattern, fc.boolean(), ([source, kind, subject], broken) => {
      const text = broken ? `${subject}\n` : subject;
      let parsed: Pattern;
      try {
        parsed = kind === 'path' ? parsePath(source) : parseSpiffe(source);
      } catch {
        return;
      }
      compared += 1;
      const whole = matchesWhole(source, text);
      assert.equal(parsed.matches(text, programs), whole, `${source} on ${JSON.stringify(text)}`);
      if (whole)
        assert.ok(
          parsed.prefixes.some((prefix) => fits(prefix, text)),
          source,
        );
      if (parsed.exact !== undefined) assert.equal(whole, text === parsed.exact);
      if (parsed.closedLeft && parsed.closedRight && !broken) {
        assert.equal(
          RE2JS.compile(source).matcher(text).find(),
          whole,
          `${source} is not closed, see ${text}`,
        );
      }
    }),
    { numRuns: 4000 },
  );
  assert.ok(compared > 1000);
});

test('a dot stands for one character, whatever it is but a line break', () => {
  const pattern = parsePath('^a.b$');
  for (const yes of ['a.b', 'axb', 'a/b', 'a\u{1f600}b', 'aéb'])
    assert.equal(pattern.matches(yes, programs), true, yes);
  for (const no of ['a\nb', 'ab', 'axxb', 'a\u{1f600}', 'xa.b', 'a.bx'])
    assert.equal(pattern.matches(no, programs), false, no);
  assert.equal(pattern.exact, undefined);
  assert.equal(parsePath('a..b').matches('a\u{1f600}b', programs), false);
  assert.equal(parsePath('a..*').matches('a\u{1f600}', programs), true);
  assert.equal(parsePath('a..+').matches('a\u{1f600}', programs), false);
});

test('an open segment takes all up to the next slash, and no slash', () => {
  const cases: [string, readonly string[], readonly string[]][] = [
    ['^a/[^/]+/b$', ['a/x/b', 'a/xx/b', 'a/\n/b'], ['a//b', 'a/b', 'a/x/y/b', 'a/x/bc', 'a/x']],
    ['^a/[^/]*/b$', ['a/x/b', 'a//b'], ['a/b', 'a/x/y/b']],
    ['^a/b[^/]+$', ['a/bx', 'a/bxyz'], ['a/b', 'a/bx/', 'a/bx/y']],
    ['[^/]+/.+', ['a/b', 'a/b/c', 'a//'], ['a/', 'a', '/b', 'a/b\n']],
    ['^t[0-9]+/[a-z.-]+$', ['t0/a', 't12/a-.b'], ['t/a', 't1a/a', 't1/', 't1/A', 't1/a/b', 'tt1/a']],
    ['^\\w+/\\d*/[^/a]*$', ['a_9/1/b', 'a//'], ['/1/b', 'a-/1/b', 'a/x/b', 'a/1/ab', 'a/1/ba']],
    ['a[^/]+b', ['axb', 'abb'], ['ab', 'a/b', 'axbx']],
  ];
  for (const [source, yes, no] of cases) {
    const pattern = parsePath(source);
    for (const text of yes) assert.equal(pattern.matches(text, programs), true, `${source} on ${text}`);
    for (const text of no) assert.equal(pattern.matches(text, programs), false, `${source} on ${text}`);
    assert.equal(pattern.exact, undefined);
  }
});

test('what goes on behind the letter of an escape is not taken for a text that has to be there', () => {
  for (const [source, text] of [
    ['.*\\x{2F}[^/]+', 'a/b'],
    ['\\x2F[a-z]|x', '/b'],
    ['\\141b*', 'ab'],
    ['\\pL', 'a'],
    ['.*\\PN.+', 'ab'],
  ] as const) {
    assert.equal(Pattern.restore(source).matches(text, programs), true, source);
  }
});

test('what stands before a pattern is found, for the patterns that people write', () => {
  const cases: [string, readonly string[]][] = [
    ['^tenants/acme/.*$', ['tenants/acme/']],
    ['^tenants/acme/db$', ['tenants/acme/db']],
    ['tenants/acme/[^/]+/db', ['tenants/acme/\x01/db']],
    ['^a\\.b\\-c/d?', ['a.b-c/']],
    ['ab+c', ['ab']],
    ['ab*c', ['a']],
    ['ab{2}', ['a']],
    ['a/b|c/d.*', ['a/b', 'c/d']],
    ['(?i)abc', ['']],
    ['a|(?i)b|c', ['']],
    ['(a|b)c', ['']],
    ['x/(a|b)c', ['x/']],
    ['x\\d', ['x']],
    ['a.b/.*', ['a\0b/']],
    ['a.*b', ['a']],
    ['a.+b', ['a\0']],
    ['a.?b', ['a']],
    ['a/[^/]+/b/.*', ['a/\x01/b/']],
    ['a/[^/]*/b', ['a/\x01/b']],
    ['a/t[0-9]+-[a-z]?x{2}/b', ['a/t\x01/b']],
    ['a/b+\\d/c', ['a/b\x01/c']],
    ['a/[^/]+', ['a/']],
    ['[^/]+/+b', ['\x01/']],
    ['a[^/]/?b', ['a']],
    ['a/[^/]+.b/c', ['a/']],
    ['a/[^b]+/c', ['a/']],
    ['a/[.-9]+/c', ['a/']],
    ['a/(b|c)/d', ['a/']],
    ['[a-z]^/b', ['']],
    ['a\\x2fb/c', ['']],
    ['a\\pLb/c', ['']],
  ];
  for (const [source, prefixes] of cases) assert.deepEqual(parsePath(source).prefixes, prefixes, source);
});

test('a policy that the original would read differently comes with a warning, others without', () => {
  const warn = (path: string, spiffe = '^spiffe://spike.ist/web$'): number =>
    describePitfalls(
      parsePolicy(
        { name: 'p', pathPattern: path, spiffePattern: spiffe, permissions: ['read'] },
        { createdAt: 0, updatedAt: 0 },
      ),
    ).length;
  for (const same of [
    '^tenants/a$',
    '^tenants/.*',
    '.*',
    '^(a|b)$',
    '^a$|^b$',
    '(^a$|^b$)',
    '(?i)^x$',
    '^[]|^]$',
    '.*/db$',
    '^a.+',
    '\\Ax\\z',
  ]) {
    assert.equal(warn(same), 0, same);
  }
  for (const other of [
    'tenants/a',
    '^tenants/a',
    'tenants/a$',
    '^a|b$',
    'tenants/.*',
    '^x\\$',
    '^a[$]',
    '^x\\.*',
    '^(x$)?y',
    '^x\\Q$',
  ]) {
    assert.equal(warn(other), 1, other);
  }
  assert.equal(warn('^/tenants/.*$'), 1, 'a slash in front matches nothing');
  assert.equal(warn('^tenants/$'), 1, 'a slash at the end matches nothing');
  assert.equal(warn('^a$', 'spiffe://spike.ist/web'), 1);
  assert.equal(warn('^a$', 'spiffe://spike.ist/web/.*'), 0);
  assert.equal(warn('tenants', 'spiffe://spike.ist/web'), 2);
});

test('names and permissions keep to wire.md 4', () => {
  assert.equal(parsePolicyName('My policy_1-a'), 'My policy_1-a');
  for (const bad of ['', 'a/b', 'a.b', 'a\n', 'é', 'a'.repeat(251)])
    assert.throws(() => parsePolicyName(bad), refused);
  assert.deepEqual(parsePermissions(['read', 'read', 'super']), ['read', 'read', 'super']);
  for (const bad of [[], ['Read'], ['read', ''], ['delete'], ['constructor']]) {
    assert.throws(() => parsePermissions(bad), refused);
  }
});

test('a policy is refused for its name first, then its SPIFFE ID pattern, its path pattern, its permissions', () => {
  const bad = { name: '', spiffePattern: '', pathPattern: '', permissions: [] };
  const message = (input: Parameters<typeof parsePolicy>[0]): string => {
    try {
      parsePolicy(input, { createdAt: 0, updatedAt: 0 });
    } catch (error) {
      if (error instanceof SpikeError) return error.message;
    }
    return '';
  };
  assert.match(message(bad), /policy name/);
  assert.match(message({ ...bad, name: 'a' }), /SPIFFE ID pattern/);
  assert.match(message({ ...bad, name: 'a', spiffePattern: 'spiffe://a' }), /path pattern/);
  assert.match(
    message({ ...bad, name: 'a', spiffePattern: 'spiffe://a', pathPattern: 'a' }),
    /at least one of/,
  );
});

function fits(template: string, text: string): boolean {
  let at = 0;
  return Array.from(template).every((mark) => {
    if (mark === '\x01') {
      at = text.indexOf('/', at);
      return at >= 0;
    }
    at += 1;
    return mark === '\0' ? at <= text.length : mark === text[at - 1];
  });
}
