import { codeTable, type ErrorCode } from '@spike/error';
import type { ErrorShape, Route, Table } from '../define.ts';
import type { JsonSchema } from './schema.ts';

/** What any route may answer, with the code under which the server reports what it did not foresee. */
const everywhere: readonly ErrorCode[] = [
  'api_bad_request',
  'access_unauthorized',
  'api_payload_too_large',
  'limit_exceeded',
  'api_internal_error',
  'state_not_ready',
  'audit_unavailable',
  'identity_withdrawn',
  'net_timeout',
];

/** What those that ask the store may answer besides. */
const ofStore: readonly ErrorCode[] = ['store_missing', 'store_integrity', 'store_failed'];

/** The common parts of failures, by the name under which `failureResponses` refers to them. */
export function failureSchemas(tables: readonly Table[]): Readonly<Record<string, JsonSchema>> {
  const routes = tables.flatMap((table) => Object.entries(table));
  return Object.fromEntries(routes.map(([name, route]) => [nameOf(name, route), failureSchema(route.error)]));
}

/** Every failure of a route, by status: its own answer with zero fields, the code, the message and the trail. */
export function failureResponses(name: string, route: Route): Readonly<Record<string, unknown>> {
  const codes = [...everywhere, ...(route.need === 'any' ? [] : ofStore), ...(route.fails ?? [])];
  const statuses = [...new Set(codes.map((code) => codeTable[code].status))].toSorted((a, b) => a - b);
  return Object.fromEntries(
    statuses.map((status) => {
      const ofStatus = codes.filter((code) => codeTable[code].status === status);
      const description = ofStatus.map((code) => `\`${code}\`: ${codeTable[code].says}`).join('; ');
      const schema = {
        $ref: `#/components/schemas/${nameOf(name, route)}`,
        properties: { [route.error.field]: { enum: ofStatus } },
      };
      const headers = status === 429 ? { headers: retryAfter } : {};
      return [String(status), { description, ...headers, content: { 'application/json': { schema } } }];
    }),
  );
}

const retryAfter = { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'string' } } };

/** Routes without fields of their own in a failure share one. */
function nameOf(name: string, { error: { zero, field } }: Route): string {
  return Object.keys(zero).length === 0 && field === 'err' ? 'Failure' : `${name}Failure`;
}

function failureSchema({ zero, field }: ErrorShape): JsonSchema {
  const zeros = Object.entries(zero).map(([name, value]) => [name, { const: value }]);
  return {
    type: 'object',
    properties: {
      ...Object.fromEntries(zeros),
      [field]: { type: 'string', description: 'The code.' },
      message: { type: 'string', description: 'What went wrong and what to do, for people.' },
      trail: {
        type: 'string',
        pattern: '^[0-9a-f]{32}$',
        description: 'The random id of this request in the audit.',
      },
    },
    required: [...Object.keys(zero), field, 'message', 'trail'],
  };
}
