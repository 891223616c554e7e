import { z } from 'zod';
import { route, type InputOf, type OutputOf } from './define.ts';
import type { PermissionOf, Tenant } from './guard.ts';
import { errorShape, small } from './limit.ts';
import { secretPath } from './schema/field.ts';
import type { SecretPath } from './schema/path.ts';
import type { nexusTable } from './table.ts';

/* What must not compile. Checked by tsc; nothing here runs. */

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(..._proof: Equal<A, B> extends true ? [] : [never]): void {
  // The types are the test.
}

const rest = {
  path: '/x',
  action: '',
  summary: 's',
  need: 'any',
  limits: small,
  audit: 'x.y',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({ path: secretPath, text: z.string(), count: z.number() }),
  response: z.object({}),
  error: errorShape(),
} as const;

export const routes = [
  route({ ...rest, guard: { kind: 'policy', action: 'read', on: 'path', privilege: 'secret.read' } }),
  route({
    ...rest,
    guard: { kind: 'policy', action: 'read', at: 'spike/system/acl', privilege: 'secret.read' },
  }),
  route({ ...rest, guard: { kind: 'role', anyOf: ['nexus'] } }),
  route({ ...rest, guard: { kind: 'anyPeer', because: 'it tells nothing' } }),
  // @ts-expect-error: a route has a guard
  route(rest),
  // @ts-expect-error: undefined is none
  route({ ...rest, guard: undefined }),
  // @ts-expect-error: there is no spelling for none
  route({ ...rest, guard: { kind: 'none' } }),
  // @ts-expect-error: open to all needs a reason
  route({ ...rest, guard: { kind: 'anyPeer' } }),
  // @ts-expect-error: a guard looks at a field of this request
  route({ ...rest, guard: { kind: 'policy', action: 'read', on: 'other', privilege: 'secret.read' } }),
  // @ts-expect-error: and at none that was not parsed as a path
  route({ ...rest, guard: { kind: 'policy', action: 'read', on: 'text', privilege: 'secret.read' } }),
  // @ts-expect-error: nor at a number
  route({ ...rest, guard: { kind: 'policy', action: 'read', on: 'count', privilege: 'secret.read' } }),
  // @ts-expect-error: a fixed path is one of the system's
  route({ ...rest, guard: { kind: 'policy', action: 'read', at: 'tenants/acme', privilege: 'secret.read' } }),
  // @ts-expect-error: an administrator needs a privilege
  route({ ...rest, guard: { kind: 'policy', action: 'read', on: 'path' } }),
  // @ts-expect-error: that stands in the table
  route({ ...rest, guard: { kind: 'administrator', privilege: 'everything' } }),
  // @ts-expect-error: super is given and never asked for
  route({ ...rest, guard: { kind: 'policy', action: 'super', on: 'path', privilege: 'secret.read' } }),
  // @ts-expect-error: at least one role
  route({ ...rest, guard: { kind: 'role', anyOf: [] } }),
  // @ts-expect-error: one of those that there are
  route({ ...rest, guard: { kind: 'role', anyOf: ['root'] } }),
  // @ts-expect-error: a route has limits
  route({ ...rest, limits: undefined, guard: { kind: 'role', anyOf: ['nexus'] } }),
  // @ts-expect-error: and a name in the audit
  route({ ...rest, audit: undefined, guard: { kind: 'role', anyOf: ['nexus'] } }),
];

type Nexus = typeof nexusTable;

same<InputOf<Nexus['getSecret']>, { path: SecretPath; version: number }>();
same<OutputOf<Nexus['verifyBootstrap']>, { hash: string }>();
same<
  PermissionOf<Nexus['getSecret']['guard']>,
  { readonly kind: 'policy'; readonly action: 'read'; readonly path: SecretPath }
>();
same<PermissionOf<Nexus['recover']['guard']>, { readonly kind: 'role'; readonly role: 'recover' }>();
same<
  PermissionOf<Nexus['putPolicy']['guard']>,
  {
    readonly kind: 'system';
    readonly action: 'write';
    readonly at: 'spike/system/acl';
    readonly tenant: Tenant;
  }
>();
// @ts-expect-error: the helper itself notices a difference
same<InputOf<Nexus['getSecret']>, { path: string; version: number }>();
