import { SpikeError } from '@spike/error';
import { isName, nameRule } from './name.ts';

/** Texts by key. Without a prototype: `__proto__` is a key like any other here, and on an ordinary object it would vanish without a word. */
export type TextMap = Readonly<Record<string, string>>;

/**
 * The values of one secret, by key, as they stand in JSON: those that are no text as base64, which a map of encodings
 * beside them tells.
 */
export type ValueMap = TextMap;

export const mostKeys = 1000;

/** A checked copy without a prototype, or the rule that was broken: a text that says no key and no value. */
export function copyValueMap(input: unknown): ValueMap | string {
  return copyTextMap(input, { keys: mostKeys, one: 'a value' });
}

/** As `copyValueMap`, for maps of other sizes; `rule` judges each text. */
export function copyTextMap(
  input: unknown,
  limit: {
    readonly keys: number;
    /** With its article, for what is said of it. */
    readonly one: string;
    readonly rule?: (text: string) => string | undefined;
  },
): TextMap | string {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return 'has to be an object of texts';
  const keys = Object.keys(input);
  if (keys.length > limit.keys) return `has at most ${limit.keys} keys`;
  const texts = Object.create(null) as Record<string, string>;
  for (const key of keys) {
    if (!isName(key)) return `has a key that is not allowed: a key ${nameRule}`;
    const text: unknown = Reflect.get(input, key);
    if (typeof text !== 'string') return `has ${limit.one} that is not a text`;
    // Stored as UTF-8, half of a surrogate pair would come back as another character.
    if (!text.isWellFormed())
      return `has ${limit.one} with half of a surrogate pair, which is no Unicode text`;
    const broken = limit.rule?.(text);
    if (broken !== undefined) return `has ${limit.one} that ${broken}`;
    texts[key] = text;
  }
  return texts;
}

/** A copy without a prototype. Throws SpikeError `data_invalid_input`, which says the rule that was broken. */
export function toValueMap(input: unknown): ValueMap {
  const values = copyValueMap(input);
  if (typeof values === 'string') throw new SpikeError('data_invalid_input', `values: ${values}`);
  return values;
}
