import { SpikeError } from '@spike/error';
import { z } from 'zod';
import { decodeBase64, encodeBase64 } from './byte.ts';
import { isName, nameRule } from './name.ts';
import { SecretPath } from './path.ts';
import { copyValueMap, type ValueMap } from './value-map.ts';

/*
 * The fields that requests and answers are made of. Each is a codec: its outer side is what stands in the JSON, its
 * inner side what programs work with. None of their messages holds a value.
 */

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'has to be bytes');

export const secretPath = z.codec(z.string('has to be a text'), z.custom<SecretPath>(SecretPath.is), {
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

export const name = z.string('has to be a text').refine(isName, nameRule);

/** A pattern, a filter: what is in it is judged where it is used. */
export const text = (most: number) =>
  z.string('has to be a text').max(most, `has at most ${most} characters`);

export const valueMap = z.codec(z.custom<ValueMap>(), z.custom<ValueMap>(), {
  decode: copyValues,
  encode: copyValues,
});

function copyValues(input: ValueMap, context: z.core.ParsePayload): ValueMap {
  const values = copyValueMap(input);
  if (typeof values !== 'string') return values;
  context.issues.push({ code: 'custom', message: values, input: undefined });
  return z.NEVER;
}

/** `[]byte` of Go: padded base64. */
export const base64 = (most: number) =>
  z.codec(z.string('has to be base64'), bytes, {
    decode: (encoded, context) => {
      const decoded = encoded.length > (most * 3) / 2 + 8 ? undefined : decodeBase64(encoded);
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
  z.array(z.int().min(0).max(255)).length(shardBytes, `has to be ${shardBytes} numbers`),
  bytes.refine((value) => value.length === shardBytes && value.some((byte) => byte !== 0), {
    error: 'has to be a share that is not all zeros',
  }),
  { decode: (numbers) => Uint8Array.from(numbers), encode: (value) => [...value] },
);

/** RFC 3339, as Go writes and reads it. */
export const time = z.iso.datetime({ offset: true });

export const whole = z.int('has to be a whole number');
