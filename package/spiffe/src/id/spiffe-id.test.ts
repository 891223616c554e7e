import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpiffeError } from '../error.ts';
import { SpiffeId } from './spiffe-id.ts';
import { TrustDomain } from './trust-domain.ts';

function accepts(...texts: readonly string[]): void {
  for (const text of texts) assert.equal(SpiffeId.parse(text).toString(), text);
}

function refuses(...texts: readonly string[]): void {
  for (const text of texts) {
    assert.throws(
      () => SpiffeId.parse(text),
      { name: 'SpiffeError', code: 'id_invalid' },
      `accepted ${text}`,
    );
  }
}

test('ID-1 takes the scheme spiffe in lower case and no other', () => {
  accepts('spiffe://td', 'spiffe://td/a');
  refuses(
    '',
    'http://td/a',
    'spiffe:/td',
    'spiffe:td',
    'spiffe',
    '//td/a',
    'td/a',
    ' spiffe://td',
    'xspiffe://td',
  );
  refuses('SPIFFE://td/a', 'Spiffe://td/a');
});

test('ID-1 refuses a trust domain that is not in lower case', () => {
  refuses('spiffe://Example.org/a', 'spiffe://eXample.org');
});

test('ID-2 wants a trust domain', () => {
  refuses('spiffe://', 'spiffe:///a', 'spiffe:////');
});

test('ID-3 refuses user information and ports', () => {
  refuses('spiffe://u@td/a', 'spiffe://u:p@td/a', 'spiffe://td:8080/a', 'spiffe://td:/a', 'spiffe://:80/a');
});

test('ID-4 takes lower-case letters, digits, dots, dashes and underscores in a trust domain, nothing encoded', () => {
  accepts('spiffe://1.2.3.4/a', 'spiffe://a_b/a', 'spiffe://a-b.c/a', 'spiffe://.-_/a');
  refuses(
    'spiffe://[::1]/a',
    'spiffe://t%64/a',
    'spiffe://t!d/a',
    'spiffe://tð/a',
    'spiffe://t d/a',
    'spiffe://t\0d/a',
  );
});

test('ID-5 treats names that look like addresses or hosts as names', () => {
  assert.equal(SpiffeId.parse('spiffe://127.0.0.1/a').trustDomain.name, '127.0.0.1');
  assert.notEqual(
    SpiffeId.parse('spiffe://127.0.0.1/a').toString(),
    SpiffeId.parse('spiffe://127.0.0.01/a').toString(),
  );
  accepts('spiffe://example.org./a', 'spiffe://..');
});

test('ID-6 refuses queries and fragments, empty ones too', () => {
  refuses(
    'spiffe://td/a?',
    'spiffe://td/a#',
    'spiffe://td?',
    'spiffe://td#',
    'spiffe://td/a?b=c',
    'spiffe://td/a#b',
  );
});

test('ID-7 takes letters, digits, dots, dashes and underscores in a path, nothing encoded', () => {
  accepts('spiffe://td/aZ09.-_/B');
  refuses(
    'spiffe://td/a%41',
    'spiffe://td/a!b',
    'spiffe://td/ä',
    'spiffe://td/a b',
    'spiffe://td/a\n',
    'spiffe://td/a:b',
  );
  refuses('spiffe://td/\ud83d', 'spiffe://td/a\\b', 'spiffe://td/a~', 'spiffe://td/\u0130');
});

test('ID-8 refuses empty segments, dot segments and a slash at the end', () => {
  accepts('spiffe://td/...', 'spiffe://td/.a', 'spiffe://td/a.', 'spiffe://td/..a/b..');
  refuses(
    'spiffe://td/',
    'spiffe://td/a//b',
    'spiffe://td/.',
    'spiffe://td/a/..',
    'spiffe://td/a/',
    'spiffe://td//',
  );
  refuses('spiffe://td/./a', 'spiffe://td/../a', 'spiffe://td/a/./b');
});

test('ID-9 supports IDs of 2048 bytes and trust domains of 255, and takes no longer ones', () => {
  const path = (length: number) => 'spiffe://td/' + 'a'.repeat(length - 'spiffe://td/'.length);
  accepts(path(2048), `spiffe://${'a'.repeat(255)}/b`);
  refuses(path(2049), `spiffe://${'a'.repeat(256)}/b`);
  const longest = TrustDomain.parse('a'.repeat(255));
  assert.throws(() => SpiffeId.from(longest, '/' + 'b'.repeat(2000)), { code: 'id_invalid' });
});

test('ID-10 tells paths apart by case', () => {
  assert.equal(SpiffeId.parse('spiffe://td/A').equals(SpiffeId.parse('spiffe://td/a')), false);
  assert.equal(SpiffeId.parse('spiffe://td/a').equals(SpiffeId.parse('spiffe://td/a')), true);
});

test('an ID made of its parts obeys the rules of one that is parsed', () => {
  const trustDomain = TrustDomain.parse('spiffe://td');
  assert.equal(SpiffeId.from(trustDomain, '/a/b').toString(), 'spiffe://td/a/b');
  assert.equal(SpiffeId.from(trustDomain, '').toString(), 'spiffe://td');
  for (const path of ['a', '/', '/a/', '/..', '/a?b', '//']) {
    assert.throws(() => SpiffeId.from(trustDomain, path), { code: 'id_invalid' });
  }
});

test('what is below a path is told by whole segments', () => {
  const id = SpiffeId.parse('spiffe://td/spike/nexus');
  assert.equal(id.isBelow('/spike'), true);
  assert.equal(id.isBelow('/spike/'), true);
  assert.equal(id.isBelow('/spike/nexus'), true);
  assert.equal(id.isBelow('/spike/nex'), false);
  assert.equal(id.isBelow('/spike/nexus/a'), false);
  assert.equal(id.isBelow(''), true);
  assert.equal(id.memberOf(TrustDomain.parse('td')), true);
  assert.equal(id.memberOf(TrustDomain.parse('td.td')), false);
});

test('a trust domain is taken by name or by ID and refused with a path', () => {
  assert.equal(TrustDomain.parse('spiffe://a.b').equals(TrustDomain.parse('a.b')), true);
  assert.equal(JSON.stringify({ td: TrustDomain.parse('a.b') }), '{"td":"spiffe://a.b"}');
  for (const text of ['', 'spiffe://', 'spiffe://a/b', 'a/b', 'A', 'http://a', 'a'.repeat(256)]) {
    assert.throws(() => TrustDomain.parse(text), { code: 'trust_domain_invalid' });
  }
});

test('every text is either a SPIFFE ID in its only spelling or a SpiffeError', () => {
  const piece = fc.oneof(
    fc.constantFrom('spiffe://', '/', '.', '..', 'td', 'a', '%41', '?', '#', ':', '@', 'A', '\0'),
    fc.string({ maxLength: 4 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      const text = pieces.join('');
      try {
        const id = SpiffeId.parse(text);
        assert.equal(id.toString(), text);
        assert.match(text, /^spiffe:\/\/[a-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/);
      } catch (error) {
        assert.ok(error instanceof SpiffeError, String(error));
      }
    }),
    { numRuns: 5000 },
  );
});
