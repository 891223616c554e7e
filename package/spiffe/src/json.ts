import { SpiffeError, type SpiffeErrorCode } from './error.ts';

/** Largest document in characters: a bundle of every authority that X509Bundle takes fits in. */
const longestDocument = 4 * 1024 * 1024;

export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Parses a JSON document whose top is an object. Refuses a member name that occurs twice, of which `JSON.parse`
 * would keep the last and another reader the first (B-8), and keeps `spiffe_sequence` as a bigint, since it has 64
 * bits and a number only 53 (B-5). Throws SpiffeError of the given code.
 */
export function parseJsonObject(text: string, code: SpiffeErrorCode = 'bundle_invalid'): JsonObject {
  if (text.length > longestDocument) throw new SpiffeError(code, 'the document is too large');
  let value: unknown;
  try {
    value = JSON.parse(text, keepSequence);
  } catch (error) {
    // Without the cause, which repeats a part of the text: that of a token is a secret.
    throw new SpiffeError(
      code,
      'the document is not JSON',
      code === 'bundle_invalid' ? { cause: error } : {},
    );
  }
  if (hasDuplicates(text)) throw new SpiffeError(code, 'a member name occurs twice in one object');
  return toObject(value, 'the document', code);
}

export function toObject(value: unknown, what: string, code: SpiffeErrorCode = 'bundle_invalid'): JsonObject {
  if (!isObject(value)) throw new SpiffeError(code, `${what} is not an object`);
  return value;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function refuse(message: string, cause?: unknown): never {
  throw new SpiffeError('bundle_invalid', message, { cause });
}

function keepSequence(key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (key !== 'spiffe_sequence' || typeof value !== 'number') return value;
  const source = context?.source ?? '';
  return /^\d{1,20}$/.test(source) ? BigInt(source) : value;
}

/** `text` is known to be JSON, so only strings and the four brackets have to be told apart. */
function hasDuplicates(text: string): boolean {
  const stack: (Set<string> | undefined)[] = [];
  let isName = false;
  for (let i = 0; i < text.length; i++) {
    switch (text.charAt(i)) {
      case '{':
        stack.push(new Set());
        isName = true;
        break;
      case '[':
        stack.push(undefined);
        isName = false;
        break;
      case '}':
      case ']':
        stack.pop();
        isName = false;
        break;
      case ',':
        isName = stack.at(-1) !== undefined;
        break;
      case '"': {
        const start = i;
        for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++;
        if (isName && !addName(stack.at(-1), text.slice(start, i + 1))) return true;
        isName = false;
        break;
      }
      default:
    }
  }
  return false;
}

/** False when it is there already. Names are compared as what they mean, since `"a"` may also be written `"\u0061"`. */
function addName(names: Set<string> | undefined, literal: string): boolean {
  const name = String(JSON.parse(literal));
  if (names?.has(name) === true) return false;
  names?.add(name);
  return true;
}
