import assert from 'node:assert/strict';

type JsonObject = Readonly<Record<string, unknown>>;

export function asObject(value: unknown): JsonObject {
  assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value), JSON.stringify(value));
  return Object.fromEntries(Object.entries(value));
}

/** The objects of a list; a list that is left out is empty. */
export function listOf(object: JsonObject, name: string): readonly JsonObject[] {
  const list = object[name] ?? [];
  assert.ok(Array.isArray(list), `${name} is no list: ${JSON.stringify(object)}`);
  return list.map(asObject);
}

export function textOf(object: JsonObject, name: string): string {
  const text = object[name];
  assert.ok(typeof text === 'string', `${name} is no text: ${JSON.stringify(object)}`);
  return text;
}
