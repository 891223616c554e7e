/**
 * Go's `[]byte` in JSON: standard alphabet, padded, line breaks inside ignored (wire.md 1.2). `undefined` for what is
 * not exactly that, spare bits included, so that every byte string has one spelling.
 */
export function decodeBase64(input: string): Uint8Array | undefined {
  const text = input.includes('\n') || input.includes('\r') ? input.replaceAll(/[\r\n]/g, '') : input;
  const bytes = Buffer.from(text, 'base64');
  // It takes anything; only the one spelling comes back as it was.
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : undefined;
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
