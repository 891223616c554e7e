const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const values: readonly number[] = Array.from({ length: 128 }, (_, code) =>
  alphabet.indexOf(String.fromCharCode(code)),
);

/**
 * Go's `[]byte` in JSON: standard alphabet, padded, line breaks inside ignored (wire.md 1.2). `undefined` for what is
 * not exactly that, spare bits included, so that every byte string has one spelling.
 */
export function decodeBase64(input: string): Uint8Array | undefined {
  const text = input.includes('\n') || input.includes('\r') ? input.replaceAll(/[\r\n]/g, '') : input;
  if (text.length % 4 !== 0) return undefined;
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < text.length - padding; i++) {
    const value = values[text.charCodeAt(i)] ?? -1;
    if (value < 0) return undefined;
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes[at++] = (held >> bits) & 0xff;
    }
  }
  return (held & ((1 << bits) - 1)) === 0 ? bytes : undefined;
}

export function encodeBase64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const [a = 0, b = 0, c = 0] = bytes.subarray(i, i + 3);
    const group = (a << 16) | (b << 8) | c;
    const left = bytes.length - i;
    text += (alphabet[group >> 18] ?? '') + (alphabet[(group >> 12) & 63] ?? '');
    text += left > 1 ? (alphabet[(group >> 6) & 63] ?? '') : '=';
    text += left > 2 ? (alphabet[group & 63] ?? '') : '=';
  }
  return text;
}
