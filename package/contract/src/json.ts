import { SpikeError } from '@spike/error';

const mostDepth = 16;
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * Strict JSON: valid UTF-8 without a byte order mark, one value, at most 16 levels. Throws SpikeError
 * `api_bad_request`, which holds nothing of the input.
 */
export function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw new SpikeError('api_bad_request', 'the body is not UTF-8');
  }
  if (!isShallow(text)) throw new SpikeError('api_bad_request', `the body has more than ${mostDepth} levels`);
  try {
    return JSON.parse(text);
  } catch {
    // The error of JSON.parse quotes the text around the fault, which may be a secret.
    throw new SpikeError('api_bad_request', 'the body is not JSON');
  }
}

export function formatJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

/** Looks at brackets outside of texts only; whether it is JSON at all is for the parser. */
function isShallow(text: string): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 0x22) {
      i = endOfString(text, i);
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > mostDepth) return false;
    } else if (code === 0x7d || code === 0x5d) {
      depth--;
    }
  }
  return true;
}

/** Index of the quote that ends the string which begins at `start`. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0;
    while (text.charCodeAt(end - 1 - escapes) === 0x5c) escapes++;
    if (escapes % 2 === 0) return end;
  }
  return text.length;
}
