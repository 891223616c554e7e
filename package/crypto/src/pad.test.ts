import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SpikeError } from '@spike/error';
import fc from 'fast-check';

import { pad, paddedSize, unpad } from './pad.ts';

test('padding comes off again, whatever the text ends with', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3000 }), fc.nat(9), (text, zeros) => {
      const whole = Uint8Array.from([...text, 0x80, ...Array.from({ length: zeros }, () => 0)]);
      assert.deepEqual(Uint8Array.from(unpad(pad(whole))), whole);
    }),
  );
});

test('every text of up to 63 bytes has the same size, and no size grows by more than 12 %', () => {
  for (let size = 0; size <= 63; size++) assert.equal(paddedSize(size), 64);
  for (let size = 64; size < 100_000; size += 7) {
    assert.ok(paddedSize(size) > size && paddedSize(size) <= (size + 1) * 1.12);
  }
});

test('padded sizes are those of Padmé', () => {
  // Worked by hand from the formula of the paper: E = floor(log2 L), S = floor(log2 E) + 1, the last E - S bits are zero.
  const expected = [
    [64, 72],
    [71, 72],
    [72, 80],
    [999, 1024],
    [1023, 1024],
    [1024, 1088],
    [1_000_000, 1_015_808],
  ] as const;
  for (const [size, padded] of expected) assert.equal(paddedSize(size), padded, String(size));
});

test('few sizes are left of many', () => {
  const sizes = new Set<number>();
  for (let size = 0; size < 100_000; size++) sizes.add(paddedSize(size));
  assert.ok(sizes.size < 200, String(sizes.size));
});

test('what is not padding is refused with a SpikeError', () => {
  const bad = [
    new Uint8Array(),
    new Uint8Array(64),
    Buffer.alloc(64, 1),
    pad(new Uint8Array(3)).subarray(0, 63),
  ];
  for (const bytes of bad) {
    assert.throws(
      () => unpad(bytes),
      (thrown) => thrown instanceof SpikeError && thrown.code === 'data_invalid_input',
    );
  }
  assert.throws(() => paddedSize(2 ** 31), RangeError);
});
