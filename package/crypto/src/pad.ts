import { SpikeError } from '@spike/error';

const smallest = 64;
const largest = 2 ** 30;

/**
 * Padmé (Nikitin et al., PETS 2019, section 4): sizes keep only about log log of their bits, at most 12 % are added,
 * and everything up to 63 bytes looks alike. The text ends with a byte 0x80, then zeros (ISO/IEC 7816-4).
 */
export function pad(text: Uint8Array): Uint8Array {
  const out = Buffer.allocUnsafe(paddedSize(text.length));
  out.set(text);
  out[text.length] = 0x80;
  return out.fill(0, text.length + 1);
}

/** Throws SpikeError `data_invalid_input` when this is not what `pad` made. */
export function unpad(padded: Uint8Array): Uint8Array {
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end--;
  if (end < 0 || padded[end] !== 0x80 || paddedSize(end) !== padded.length) {
    throw new SpikeError('data_invalid_input', 'the padding is not the one that belongs to this size');
  }
  return padded.subarray(0, end);
}

/** The size that a text of so many bytes is padded to. */
export function paddedSize(size: number): number {
  const wanted = Math.max(size + 1, smallest);
  if (!Number.isInteger(size) || size < 0 || wanted > largest) throw new RangeError('too large to pad');
  const exponent = 31 - Math.clz32(wanted);
  const kept = 32 - Math.clz32(exponent);
  const mask = 2 ** (exponent - kept) - 1;
  return (wanted + mask) & ~mask;
}
