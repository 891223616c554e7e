import { SpikeError } from '@spike/error';
import { decodeBase64, encodeBase64 } from './byte.ts';
import type { TextMap, ValueMap } from './value-map.ts';

/** The values of one secret as programs have them: a text, or bytes that need not be one. Without a prototype. */
export type MixedValues = Readonly<Record<string, string | Uint8Array>>;

/** What stands in JSON: `encoding` names the values that are written as base64, and is left out when there are none. */
export interface WireValues {
  readonly values: ValueMap;
  readonly encoding?: TextMap | undefined;
}

/**
 * Values of a request or an answer. Throws SpikeError `data_invalid_input` for an encoding of a key that is not
 * there, and for what is not padded base64 without line breaks.
 */
export function fromWireValues({ values, encoding = {} }: WireValues): MixedValues {
  const mixed = Object.create(null) as Record<string, string | Uint8Array>;
  for (const [key, text] of Object.entries(values)) {
    const bytes = Object.hasOwn(encoding, key) ? decodeStrictly(text) : text;
    if (bytes === undefined)
      throw new SpikeError(
        'data_invalid_input',
        'values: one is said to be base64 and is not, or not padded',
      );
    mixed[key] = bytes;
  }
  if (!Object.keys(encoding).every((key) => Object.hasOwn(values, key)))
    throw new SpikeError('data_invalid_input', 'encoding: it has a key that values does not have');
  return mixed;
}

/** The other way round; bytes become base64. The fields of a route check what comes out. */
export function toWireValues(mixed: MixedValues): WireValues {
  // Most secrets hold texts alone, and each copy costs a reader time.
  if (hasTextsAlone(mixed)) return { values: mixed };
  const values = Object.create(null) as Record<string, string>;
  const encoding = Object.create(null) as Record<string, string>;
  for (const [key, value] of Object.entries(mixed)) {
    if (value instanceof Uint8Array) encoding[key] = 'base64';
    values[key] = value instanceof Uint8Array ? encodeBase64(value) : value;
  }
  return { values, encoding };
}

function hasTextsAlone(mixed: MixedValues): mixed is ValueMap {
  return !Object.values(mixed).some((value) => value instanceof Uint8Array);
}

/** Line breaks, which Go's decoder ignores, are not kept, so an answer would differ from what was sent. */
function decodeStrictly(text: string): Uint8Array | undefined {
  return text.includes('\n') || text.includes('\r') ? undefined : decodeBase64(text);
}
