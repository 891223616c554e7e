import { SecretPath } from '../schema/path.ts';
import { copyValueMap, type ValueMap } from '../schema/value-map.ts';

/*
 * The plain cases of what is asked for most, read and written by hand: nearly every get and put is one, and the
 * schemas take several times as long. What is not plain is left to the schemas, with all their rules and words; a
 * property in the test holds both against each other.
 */

type Fields = Readonly<Record<string, unknown>>;

export const quickGet = {
  parseRequest: (fields: Fields): { path: SecretPath; version: number } | undefined => {
    const { path: text, version = 0 } = fields;
    const path = parsePath(text);
    return path === undefined || !isWhole(version) ? undefined : { path, version };
  },
  formatResponse: (output: Fields): { data: ValueMap; version: number } | undefined => {
    const { version, encoding } = output;
    if (encoding !== undefined || !isWhole(version)) return undefined;
    const data = copyValueMap(output['data']);
    return typeof data === 'string' ? undefined : { data, version };
  },
};

export const quickPut = {
  parseRequest: (fields: Fields): { path: SecretPath; values: ValueMap } | undefined => {
    const { path: text, values: given, encoding, cas, maxVersions } = fields;
    if (encoding !== undefined || cas !== undefined || maxVersions !== undefined) return undefined;
    const path = parsePath(text);
    if (path === undefined) return undefined;
    const values = copyValueMap(given);
    return typeof values === 'string' ? undefined : { path, values };
  },
  formatResponse: ({ version }: Fields): { version: number } | undefined =>
    isWhole(version) ? { version } : undefined,
};

function parsePath(text: unknown): SecretPath | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    return SecretPath.parse(text);
  } catch {
    return undefined;
  }
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
