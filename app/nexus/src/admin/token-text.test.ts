import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { toBase32 } from './base32.ts';
import { accessorOf, makeToken, tokenShape } from './token-text.ts';

test('base32 is that of RFC 4648 in small letters, without padding', () => {
  const vectors = {
    '': '',
    f: 'my',
    fo: 'mzxq',
    foo: 'mzxw6',
    foob: 'mzxw6yq',
    fooba: 'mzxw6ytb',
    foobar: 'mzxw6ytboi',
  };
  for (const [text, encoded] of Object.entries(vectors)) assert.equal(toBase32(Buffer.from(text)), encoded);
});

test('a token has its shape, holds 256 bits and names its accessor', () => {
  const asked: number[] = [];
  const token = makeToken((size) => {
    asked.push(size);
    return new Uint8Array(size).fill(255);
  });
  assert.deepEqual(asked, [10, 32]);
  assert.match(token.text, tokenShape);
  assert.equal(accessorOf(token.text), token.accessor);
  assert.equal(token.text, `spk_${'7'.repeat(16)}_${'7'.repeat(51)}q_${token.text.slice(-8)}`);
  assert.notEqual(makeToken().text, makeToken().text);
});

test('a character that is changed, left out or doubled is no token any more', () => {
  const { text } = makeToken();
  fc.assert(
    fc.property(
      fc.nat(text.length - 1),
      fc.constantFrom('a', 'b', 'z', '2', '7', '_', 'A', '=', '1', ' '),
      (at, other) => {
        if (text[at] !== other)
          assert.equal(accessorOf(text.slice(0, at) + other + text.slice(at + 1)), undefined);
        assert.equal(accessorOf(text.slice(0, at) + text.slice(at + 1)), undefined);
        assert.equal(accessorOf(text.slice(0, at) + text[at] + text.slice(at)), undefined);
      },
    ),
  );
  for (const bad of ['', ' ', `${text}\n`, ` ${text}`, text.toUpperCase(), `Bearer ${text}`])
    assert.equal(accessorOf(bad), undefined);
});
