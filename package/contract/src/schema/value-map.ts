import { SpikeError } from '@spike/error';
import { isName, nameRule } from './name.ts';

/**
 * The values of one secret, by key. Without a prototype: `__proto__` is a key like any other here (the rule for keys
 * lets it through), and on an ordinary object it would vanish without a word.
 */
export type ValueMap = Readonly<Record<string, string>>;

const mostKeys = 1000;

/** A checked copy without a prototype, or the rule that was broken: a text that says no key and no value. */
export function copyValueMap(input: unknown): ValueMap | string {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    return 'has to be an object of texts';
  const keys = Object.keys(input);
  if (keys.length > mostKeys) return `has at most ${mostKeys} keys`;
  const values = Object.create(null) as Record<string, string>;
  for (const key of keys) {
    if (!isName(key)) return `has a key that is not allowed: a key ${nameRule}`;
    const value: unknown = Reflect.get(input, key);
    if (typeof value !== 'string') return 'has a value that is not a text';
    // Stored as UTF-8, half of a surrogate pair would come back as another character.
    if (!value.isWellFormed()) return 'has a value with half of a surrogate pair, which is no Unicode text';
    values[key] = value;
  }
  return values;
}

/** A copy without a prototype. Throws SpikeError `data_invalid_input`, which says the rule that was broken. */
export function toValueMap(input: unknown): ValueMap {
  const values = copyValueMap(input);
  if (typeof values === 'string') throw new SpikeError('data_invalid_input', `values: ${values}`);
  return values;
}
