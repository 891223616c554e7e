import { SpikeError } from '@spike/error';
import { z } from 'zod';
import { decodeBase64, encodeBase64 } from './byte.ts';
import { isName, nameRule } from './name.ts';
import { SecretPath } from './path.ts';
import { copyTextMap, copyValueMap, mostKeys, type TextMap, type ValueMap } from './value-map.ts';

/*
 * The fields that requests and answers are made of. Each is a codec: its outer side is what stands in the JSON, its
 * inner side what programs work with. None of their messages holds a value. `meta` is for the rules that code checks
 * and JSON Schema can say.
 */

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'has to be bytes');

const mark = String.raw`A-Za-z0-9_\-()?+*|\[\]{}\\`;
/** Anything but `.` and `..`. */
const segment = String.raw`(?:[${mark}][${mark}.]*|\.[${mark}][${mark}.]*|\.\.[${mark}.]+)`;
const pathText = z.string('has to be a text').meta({
  description:
    'The path of a secret: 1 to 500 characters in at most 32 segments, none of them empty, `.` or `..`. One leading and one trailing slash are taken off.',
  pattern: `^/?${segment}(?:/${segment}){0,31}/?$`,
  minLength: 1,
  maxLength: 500,
  examples: ['tenants/acme/db'],
});

export const secretPath = z.codec(pathText, z.custom<SecretPath>(SecretPath.is), {
  decode: (text, context) => {
    try {
      return SecretPath.parse(text);
    } catch (error) {
      if (!(error instanceof SpikeError)) throw error;
      context.issues.push({ code: 'custom', message: error.message, input: undefined });
      return z.NEVER;
    }
  },
  encode: (path) => path.text,
});

const nameText = { pattern: '^[A-Za-z0-9 _-]+$', minLength: 1, maxLength: 250 };

export const name = z.string('has to be a text').refine(isName, nameRule).meta(nameText);

/** A pattern, a filter: what is in it is judged where it is used. */
export const text = (most: number) =>
  z.string('has to be a text').max(most, `has at most ${most} characters`);

/** A text that comes back as it was: valid Unicode. */
export const unicodeText = (most: number) =>
  text(most).refine(
    (value) => value.isWellFormed(),
    'has half of a surrogate pair, which is no Unicode text',
  );

const textMap = <Map extends TextMap>(
  copy: (input: Map) => Map | string,
  described: { readonly most: number; readonly text: Readonly<Record<string, unknown>> },
) => {
  const checked = (input: Map, context: z.core.ParsePayload): Map => {
    const texts = copy(input);
    if (typeof texts !== 'string') return texts;
    context.issues.push({ code: 'custom', message: texts, input: undefined });
    return z.NEVER;
  };
  const outer = z.custom<Map>().meta({
    type: 'object',
    propertyNames: nameText,
    additionalProperties: { type: 'string', ...described.text },
    maxProperties: described.most,
  });
  return z.codec(outer, z.custom<Map>(), { decode: checked, encode: checked });
};

export const valueMap = textMap<ValueMap>(copyValueMap, { most: mostKeys, text: {} });

/** Which values of a secret are written as base64. A key that is not here stands for a text. */
export const encodingMap = textMap(
  (input: TextMap) =>
    copyTextMap(input, {
      keys: mostKeys,
      one: 'an encoding',
      rule: (text) => (text === 'base64' ? undefined : 'is not base64, the only one there is'),
    }),
  { most: mostKeys, text: { const: 'base64' } },
);

const mostLabels = 32;
const mostLabelCharacters = 250;

/** What people say about a secret, by name. */
export const labelMap = textMap(
  (input: TextMap) =>
    copyTextMap(input, {
      keys: mostLabels,
      one: 'a label',
      rule: (text) =>
        text.length <= mostLabelCharacters ? undefined : `has more than ${mostLabelCharacters} characters`,
    }),
  { most: mostLabels, text: { maxLength: mostLabelCharacters } },
);

/** Line breaks included. */
const longestBase64 = (most: number): number => Math.floor((most * 3) / 2 + 8);

const digit = String.raw`[A-Za-z0-9+/][\r\n]*`;
const padding = String.raw`=[\r\n]*`;
/** With spare bits that are zero, which are in the last digit before the padding. */
const base64Pattern =
  String.raw`^[\r\n]*(?:(?:${digit}){4})*` +
  String.raw`(?:${digit}[AQgw][\r\n]*${padding}${padding}|${digit}${digit}[AEIMQUYcgkosw048][\r\n]*${padding})?$`;

const base64Text = (most: number) =>
  z.string('has to be base64').meta({
    description: `Padded base64 of at most ${most} bytes; line breaks in it are ignored.`,
    contentEncoding: 'base64',
    pattern: base64Pattern,
    maxLength: longestBase64(most),
  });

/** `[]byte` of Go: padded base64. */
export const base64 = (most: number) =>
  z.codec(base64Text(most), bytes, {
    decode: (encoded, context) => {
      const decoded = encoded.length > longestBase64(most) ? undefined : decodeBase64(encoded);
      if (decoded !== undefined && decoded.length <= most) return decoded;
      context.issues.push({
        code: 'custom',
        message: `has to be padded base64 of at most ${most} bytes`,
        input: undefined,
      });
      return z.NEVER;
    },
    encode: encodeBase64,
  });

const shardBytes = 32;

/** `*[32]byte` of Go: an array of 32 numbers. Another length is refused, which Go cuts or fills up; so is nothing but zeros. */
export const shard = z.codec(
  z
    .array(z.int().min(0).max(255))
    .length(shardBytes, `has to be ${shardBytes} numbers`)
    .meta({ contains: { type: 'integer', minimum: 1 } }),
  bytes.refine((value) => value.length === shardBytes && value.some((byte) => byte !== 0), {
    error: 'has to be a share that is not all zeros',
  }),
  { decode: (numbers) => Uint8Array.from(numbers), encode: (value) => [...value] },
);

/** RFC 3339, as Go writes and reads it. */
export const time = z.iso.datetime({ offset: true });

export const whole = z.int('has to be a whole number');

export const wholeBetween = (least: number, most: number) =>
  whole.min(least, `is at least ${least}`).max(most, `is at most ${most}`);
