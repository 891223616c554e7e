import { SpikeError } from '@spike/error';

const mostKeys = 1000;
/** Padded base64 without line breaks, as `secret get -f json` writes it. */
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * The values of a secret from one JSON object: each a text, or `{"base64": "…"}` for bytes. Its messages name keys and
 * never repeat what stands in the input. Throws `data_invalid_input`.
 */
export function parseValues(text: string, where: string): ReadonlyMap<string, string | Uint8Array> {
  const json = parse(text, where);
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new SpikeError('data_invalid_input', `${where} has to be one JSON object of texts`);
  const entries = Object.entries(json);
  if (entries.length > mostKeys)
    throw new SpikeError('data_invalid_input', `${where} has more than ${mostKeys} keys`);
  const twice = findRepeated(text);
  if (twice !== undefined)
    throw new SpikeError('data_invalid_input', `${where}: the key ${JSON.stringify(twice)} is given twice`);
  return new Map(entries.map(([key, value]) => [key, readValue(value, key, where)]));
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The error of JSON.parse quotes the text around the fault, which may be a secret.
    throw new SpikeError('data_invalid_input', `${where} is not JSON`);
  }
}

/** A key that the outermost object of valid JSON has twice, of which `JSON.parse` keeps the last and drops the rest. */
function findRepeated(json: string): string | undefined {
  const keys = new Set<string>();
  const colon = /\s*:/y;
  let depth = 0;
  for (let at = 0; at < json.length; at++) {
    const mark = json[at];
    if (mark === '{' || mark === '[') depth++;
    else if (mark === '}' || mark === ']') depth--;
    if (mark !== '"') continue;
    const start = at;
    at = endOfText(json, start);
    // What stands before a colon is a key, since no value does.
    colon.lastIndex = at + 1;
    if (depth !== 1 || !colon.test(json)) continue;
    const key = String(JSON.parse(json.slice(start, at + 1)));
    if (keys.has(key)) return key;
    keys.add(key);
  }
  return undefined;
}

/** Where the text that begins here has its closing quote. */
function endOfText(json: string, start: number): number {
  let at = start + 1;
  while (at < json.length && json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at;
}

function readValue(value: unknown, key: string, where: string): string | Uint8Array {
  if (typeof value === 'string') return value;
  const names = typeof value === 'object' && value !== null ? Object.keys(value) : [];
  const encoded: unknown =
    names.length === 1 && names[0] === 'base64' ? Reflect.get(Object(value), 'base64') : 0;
  if (typeof encoded === 'string' && base64.test(encoded)) return Buffer.from(encoded, 'base64');
  const kind = value === null ? 'null' : Array.isArray(value) ? 'a list' : `a ${typeof value}`;
  throw new SpikeError(
    'data_invalid_input',
    `${where}: the value of ${JSON.stringify(key)} is ${kind}; write it as a text in quotes, or bytes as {"base64": "…"}`,
  );
}
