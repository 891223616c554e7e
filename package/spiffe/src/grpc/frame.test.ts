import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SpiffeError } from '../error.ts';
import { encodeFrame, FrameReader } from './frame.ts';

const refused = (code: string) => (error: unknown) => error instanceof SpiffeError && error.code === code;

test('messages come out as they went in, however the stream is cut', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 6 });
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (sent, cuts) => {
      const stream = Buffer.concat(sent.map(encodeFrame));
      const reader = new FrameReader(50);
      const received: Uint8Array[] = [];
      for (let at = 0, i = 0; at < stream.length; i++) {
        const length = cuts[i % cuts.length] ?? 1;
        received.push(...reader.push(stream.subarray(at, at + length)));
        at += length;
      }
      reader.end();
      assert.deepEqual(
        received.map((one) => Uint8Array.from(one)),
        sent,
      );
    }),
  );
});

test('a message of the limit is accepted, one byte more is refused by its length alone', () => {
  assert.equal([...new FrameReader(10).push(encodeFrame(new Uint8Array(10)))].length, 1);
  assert.throws(
    () => [...new FrameReader(10).push(Buffer.from('000000000b', 'hex'))],
    refused('limit_exceeded'),
  );
  assert.throws(
    () => [...new FrameReader(10).push(Buffer.from('00ffffffff', 'hex'))],
    refused('limit_exceeded'),
  );
});

test('a compressed message, or any other flag, is refused', () => {
  for (const flag of [1, 2, 0x80]) {
    assert.throws(
      () => [...new FrameReader(10).push(Uint8Array.of(flag, 0, 0, 0, 0))],
      refused('protocol_invalid'),
    );
  }
});

test('a stream that ends within a message or its prefix is refused', () => {
  for (const part of ['00', '0000000002', '000000000201']) {
    const reader = new FrameReader(10);
    assert.equal([...reader.push(Buffer.from(part, 'hex'))].length, 0);
    assert.throws(() => reader.end(), refused('protocol_invalid'));
  }
});
