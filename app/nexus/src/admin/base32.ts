/** RFC 4648 section 6 in small letters, without padding: what people can read out, and nothing that a shell or URL minds. */
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** As many characters as the bits need; the spare bits of the last one are zero. */
export function toBase32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(held >>> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + alphabet[(held << (5 - bits)) & 31];
}
