import { z } from 'zod';
import type { Route } from '../define.ts';

/** JSON Schema 2020-12, as OpenAPI 3.1 has it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** What a request has to look like in JSON. */
export function requestSchema(route: Route): JsonSchema {
  const schema = toJsonSchema(route.request);
  const properties = propertiesOf(schema);
  if (route.unknownFields === 'refuse') return { ...schema, additionalProperties: false };
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : []);
  const described = Object.entries(properties).map(([name, property]) => [
    name,
    // The routes of the original take null for absent.
    required.has(name) ? withoutDefault(property) : { anyOf: [property, { type: 'null' }] },
  ]);
  return { ...schema, properties: Object.fromEntries(described) };
}

/** What code fills in and then finds wanting is no default to rely on. */
function withoutDefault({ default: _default, ...property }: JsonSchema): JsonSchema {
  return property;
}

/** What a good answer looks like in JSON. */
export function responseSchema(route: Route): JsonSchema {
  const schema = toJsonSchema(route.response);
  if (!route.error.always) return schema;
  const properties = { ...propertiesOf(schema), [route.error.field]: { const: '' } };
  return { ...schema, properties };
}

/** The outer side of a schema, which is what travels, in requests and in answers. */
function toJsonSchema(schema: z.ZodObject): JsonSchema {
  const { $schema: _dialect, ...json } = z.toJSONSchema(schema, {
    io: 'input',
    // Only inner sides are, and those do not travel.
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // The format says it, and the pattern that would say it again fills a page.
      if (jsonSchema.format === 'date-time') delete jsonSchema.pattern;
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
    },
  });
  return json;
}

function propertiesOf(schema: JsonSchema): Readonly<Record<string, JsonSchema>> {
  const { properties } = schema;
  return typeof properties === 'object' && properties !== null
    ? (properties as Readonly<Record<string, JsonSchema>>)
    : {};
}
