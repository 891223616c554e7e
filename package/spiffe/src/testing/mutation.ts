import fc from 'fast-check';

/** Changes that keep most of an encoding intact, so that a parser gets past its first bytes. */
export function mutate(seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    kind: fc.constantFrom('set', 'flip', 'insert', 'remove', 'double', 'cut'),
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    octet: fc.oneof(fc.nat(255), fc.constantFrom(0x00, 0x30, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xff)),
    length: fc.integer({ min: 1, max: 40 }),
  });
  return fc
    .tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 4 }))
    .map(([seed, edits]) => {
      let bytes = Buffer.from(seed);
      for (const { kind, at, octet, length } of edits) {
        const i = Math.floor(at * bytes.length);
        if (kind === 'set') bytes[i] = octet;
        if (kind === 'flip') bytes[i] = (bytes[i] ?? 0) ^ (1 << (octet & 7));
        if (kind === 'insert')
          bytes = Buffer.concat([bytes.subarray(0, i), Buffer.alloc(length, octet), bytes.subarray(i)]);
        if (kind === 'remove') bytes = Buffer.concat([bytes.subarray(0, i), bytes.subarray(i + length)]);
        if (kind === 'double') bytes = Buffer.concat([bytes.subarray(0, i + length), bytes.subarray(i)]);
        if (kind === 'cut') bytes = bytes.subarray(0, i);
      }
      return new Uint8Array(bytes);
    });
}
