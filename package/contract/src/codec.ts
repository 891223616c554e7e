import { SpikeError } from '@spike/error';
import type { z } from 'zod';
import type { InputOf, OutputOf, Route } from './define.ts';

/*
 * A request and its answer between JSON and the types of a route. The type assertions of the contract stand here:
 * what a schema of type S gives is z.output<S>, which the compiler cannot see through a generic Route.
 */

/** Throws SpikeError `api_bad_request`, which names the field and the rule, and no value. */
export function parseRequest<R extends Route>(route: R, json: unknown): InputOf<R> {
  const fields = route.unknownFields === 'ignore' ? dropNulls(json) : refuseUnknown(route.request, json);
  const quick = isObject(fields) ? route.quick?.parseRequest(fields) : undefined;
  if (quick !== undefined) return quick as InputOf<R>;
  const result = route.request.safeDecode(fields as never);
  if (!result.success) throw new SpikeError('api_bad_request', explain(result.error));
  return result.data as InputOf<R>;
}

/** The JSON value of a request. Throws SpikeError `data_invalid_input` before anything is sent. */
export function formatRequest<R extends Route>(route: R, input: InputOf<R>): Record<string, unknown> {
  const result = route.request.safeEncode(input as never);
  if (!result.success) throw new SpikeError('data_invalid_input', explain(result.error));
  return result.data;
}

/** Lets out the fields of the route and nothing else. Throws SpikeError `api_internal_error` when one is missing or wrong. */
export function formatResponse<R extends Route>(route: R, output: OutputOf<R>): Record<string, unknown> {
  const quick = route.quick?.formatResponse(output);
  const fields = quick ?? encodeResponse(route, output);
  return route.error.always ? { ...fields, [route.error.field]: '' } : fields;
}

/** Throws SpikeError `net_peer_connection` for an answer that is not one of this route. */
export function parseResponse<R extends Route>(route: R, json: unknown): OutputOf<R> {
  const result = route.response.safeDecode(dropNulls(json) as never);
  if (!result.success)
    throw new SpikeError(
      'net_peer_connection',
      `the server's answer is not understood: ${explain(result.error)}`,
    );
  return result.data as OutputOf<R>;
}

function encodeResponse(route: Route, output: unknown): Record<string, unknown> {
  const result = route.response.safeEncode(output as never);
  if (result.success) return result.data;
  throw new SpikeError('api_internal_error', `the answer is not of its form: ${explain(result.error)}`);
}

/** In the original an absent field, null and the zero value are the same. */
function dropNulls(json: unknown): unknown {
  if (!isObject(json)) return json;
  return Object.values(json).includes(null)
    ? Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null))
    : json;
}

function isObject(json: unknown): json is Readonly<Record<string, unknown>> {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function refuseUnknown(schema: z.ZodObject, json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (!Object.keys(json).every((key) => Object.hasOwn(schema.shape, key))) {
    throw new SpikeError('api_bad_request', 'the request has a field that this route does not know');
  }
  return json;
}

function explain(error: z.core.$ZodError): string {
  const [issue] = error.issues;
  const field = issue?.path[0];
  if (issue === undefined) return 'the request is not understood';
  return `${field === undefined ? 'the body' : String(field)}: ${ruleOf(issue)}`;
}

const kinds: Readonly<Record<string, string>> = {
  object: 'an object',
  array: 'a list',
  boolean: 'true or false',
  string: 'a text',
};

/** In our words where the schema has none of its own. */
function ruleOf(issue: z.core.$ZodIssue): string {
  const kind = issue.code === 'invalid_type' ? kinds[issue.expected] : undefined;
  return kind !== undefined && issue.message.startsWith('Invalid input')
    ? `has to be ${kind}`
    : issue.message;
}
