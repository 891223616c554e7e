import { contentTypes } from '../body.ts';
import type { Route, Table } from '../define.ts';
import { keeperTable, nexusTable } from '../table.ts';
import { failureResponses, failureSchemas } from './failure.ts';
import { requestSchema, responseSchema } from './schema.ts';

type Json = Readonly<Record<string, unknown>>;

const about = `Everything that Nexus and a Keeper answer, written from the tables that they run on.

- Every route is POST over mTLS: the caller is known by its X.509-SVID, and the server's is checked against the trust bundle
  (a SPIFFE ID, not a host name). There are no keys and no cookies.
- \`?action=\` in the query is a part of a route's name, so it stands in the key of the path here: to call one, append the key
  to the server's URL as it is.
- Success is 200. A failure is the route's own answer with empty fields, \`err\` (on one route of the Keeper \`Err\`) with the
  code, \`message\`, and \`trail\`, the id of the request in the audit.
- What is not allowed is 401, whether or not something is there; 403 is never used. What is no route is 400.
- The routes of the Go original ignore fields that they do not know and take null for absent; newer ones refuse both.`;

/** Every route of Nexus and Keeper as an OpenAPI 3.1 document. */
export function describeContract(version: string): Json {
  const paths = {
    ...pathsOf('Nexus', nexusTable, undefined),
    ...pathsOf('Keeper', keeperTable, [{ url: 'https://localhost:8443', description: 'a Keeper' }]),
  };
  return {
    openapi: '3.1.1',
    info: {
      title: 'SPIKE',
      version,
      description: about,
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: 'https://localhost:8553', description: 'Nexus' }],
    security: [{ svid: [] }],
    tags: [
      { name: 'Nexus', description: 'The store: secrets, policies, encryption, recovery.' },
      { name: 'Keeper', description: 'Holds one share of the root key; Nexus and Bootstrap alone may ask.' },
    ],
    paths,
    components: {
      securitySchemes: {
        svid: {
          type: 'mutualTLS',
          description: 'An X.509-SVID. Which SPIFFE IDs may use a route stands in its description.',
        },
      },
      schemas: failureSchemas([nexusTable, keeperTable]),
    },
  };
}

function pathsOf(tag: string, table: Table, servers: readonly Json[] | undefined): Json {
  return Object.fromEntries(
    Object.entries(table).map(([name, route]) => [
      route.action === '' ? route.path : `${route.path}?action=${route.action}`,
      { ...(servers === undefined ? {} : { servers }), post: operationOf(tag, name, route) },
    ]),
  );
}

function operationOf(tag: string, name: string, route: Route): Json {
  const octets = { [contentTypes.octets]: { schema: { type: 'string', format: 'binary' } } };
  const bodies = (schema: Json): Json => ({
    [contentTypes.json]: { schema },
    ...(route.octets === undefined ? {} : octets),
  });
  return {
    operationId: name,
    tags: [tag],
    summary: route.summary,
    description: describeRoute(route),
    requestBody: { required: true, content: bodies(requestSchema(route)) },
    responses: {
      '200': { description: 'Done.', content: bodies(responseSchema(route)) },
      ...failureResponses(name, route),
    },
    'x-spike': {
      audit: route.audit,
      guard: route.guard,
      limits: route.limits,
      need: route.need,
      repeatable: route.repeatable,
    },
  };
}

function describeRoute(route: Route): string {
  const { limits, repeatable } = route;
  return [
    `Who may: ${describeGuard(route)}.`,
    `A request has at most ${limits.requestBytes} bytes and ${limits.deadlineMs / 1000} s.`,
    repeatable ? 'Asking twice does what asking once does.' : 'Asking twice may do it twice.',
  ].join(' ');
}

function describeGuard({ guard }: Route): string {
  switch (guard.kind) {
    case 'role':
      return guard.anyOf.join(', ');
    case 'administrator':
      return [`an administrator with the privilege \`${guard.privilege}\``, ...(guard.roles ?? [])].join(
        ', ',
      );
    case 'session':
      return 'an administrator with a session, for himself';
    case 'anyPeer':
      return `anybody with an SVID, because ${guard.because}`;
    case 'listing':
      return `an administrator with \`${guard.privilege}\`; who has \`${guard.action}\` on \`${guard.at}\` sees everything, others what a policy gives them`;
    case 'policy': {
      const place = 'on' in guard ? `the request's \`${guard.on}\`` : `\`${guard.at}\``;
      const roles = 'roles' in guard && guard.roles !== undefined ? `, ${guard.roles.join(', ')}` : '';
      return `an administrator with \`${guard.privilege}\`${roles}, and whom a policy gives \`${guard.action}\` on ${place}`;
    }
  }
}
