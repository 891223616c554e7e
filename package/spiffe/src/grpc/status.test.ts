import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpiffeError } from '../error.ts';
import { decodeStatusMessage, encodeStatusMessage, fromTrailer, toTrailer } from './status.ts';
import { parseTimeout } from './timeout.ts';

test('a status message survives its encoding, and the encoding is printable ASCII', () => {
  const printable = fc.string({ unit: 'grapheme' }).filter((text) => !/\p{Cc}/u.test(text));
  fc.assert(
    fc.property(printable, (text) => {
      const encoded = encodeStatusMessage(text);
      assert.match(encoded, /^[\x20-\x7e]*$/);
      assert.equal(decodeStatusMessage(encoded), text);
    }),
  );
  assert.equal(encodeStatusMessage('100 % ä\n'), '100 %25 %C3%A4%0A');
});

test('a status message that is encoded wrongly is shown as it is, without what would move a cursor', () => {
  assert.equal(decodeStatusMessage('50% %zz'), '50% %zz');
  assert.equal(decodeStatusMessage('a%1B%5B2Jb'), 'a [2Jb');
});

test('each status of the Workload API comes back as its own code', () => {
  const codes = [
    'invalid_argument',
    'permission_denied',
    'unavailable',
    'unimplemented',
    'deadline_exceeded',
  ] as const;
  for (const code of codes) {
    const trailer = toTrailer(new SpiffeError(code, 'because'));
    const error = fromTrailer(trailer['grpc-status'], trailer['grpc-message']);
    assert.equal(error?.code, code);
    assert.match(error?.message ?? '', /because/);
  }
  assert.equal(fromTrailer('0', undefined), undefined);
});

test('a cancelled call that we did not cancel counts as an unavailable server', () => {
  assert.equal(fromTrailer('1', 'going away')?.code, 'unavailable');
});

test('a status that is missing or no number is a breach of the protocol', () => {
  for (const status of [undefined, '', 'x', '-1', '1.0', '99999']) {
    assert.equal(fromTrailer(status, undefined)?.code, 'protocol_invalid');
  }
});

test('clients are told nothing about failures inside of the server', () => {
  for (const error of [new Error('key=hunter2'), new SpiffeError('key_invalid', 'hunter2'), 'hunter2']) {
    assert.deepEqual(toTrailer(error), { 'grpc-status': '13', 'grpc-message': 'the server failed' });
  }
});

test('grpc-timeout is eight digits and a unit', () => {
  assert.equal(parseTimeout('5S'), 5000);
  assert.equal(parseTimeout('100m'), 100);
  assert.equal(parseTimeout('1n'), 1);
  assert.equal(parseTimeout('99999999H'), 2 ** 31 - 1);
  for (const text of ['', '5', 'S', '5s', '123456789S', '-1S', '1.5S', '1S ']) {
    assert.throws(
      () => parseTimeout(text),
      (error) => error instanceof SpiffeError && error.code === 'invalid_argument',
    );
  }
});
