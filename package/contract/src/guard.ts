import type { Privilege } from './privilege.ts';
import type { SecretPath } from './schema/path.ts';

/** What a policy can be asked for (wire.md 5); `super` is given, never asked for. */
export type Action = 'read' | 'write' | 'list' | 'execute';

/** Which path below its trust domain makes an identity what (wire.md 2.2). A role covers what is below it, too. */
export const rolePaths = {
  nexus: '/spike/nexus',
  keeper: '/spike/keeper',
  bootstrap: '/spike/bootstrap',
  superuser: '/spike/pilot/role/superuser',
  recover: '/spike/pilot/role/recover',
  restore: '/spike/pilot/role/restore',
  lite: '/spike/workload/role/lite',
} as const;

export type Role = keyof typeof rolePaths;

/** The name of a field of `Input` that holds a parsed path: a guard cannot look at anything less. */
export type PathField<Input> = {
  [Name in keyof Input]-?: Input[Name] extends SecretPath ? Name : never;
}[keyof Input] &
  string;

export type SystemPath = `spike/system/${string}`;

/**
 * Who may use a route. There is no way to say "everybody" but `anyPeer`, which says why. A superuser comes with the
 * session of an administrator (where the server asks for one), who needs the `privilege`.
 */
export type Guard<Input = Record<string, SecretPath>> =
  | {
      readonly kind: 'policy';
      readonly action: Action;
      readonly on: PathField<Input>;
      readonly privilege: Privilege;
    }
  /** `roles` need no policy; others that no policy is for, such as lite, stay outside. */
  | {
      readonly kind: 'policy';
      readonly action: Action;
      readonly at: SystemPath;
      readonly privilege: Privilege;
      readonly roles?: readonly Role[];
    }
  /** `action` on the system path sees everything, a policy that gives it anywhere sees what that policy matches. */
  | {
      readonly kind: 'listing';
      readonly action: Action;
      readonly at: SystemPath;
      readonly privilege: Privilege;
    }
  /** For administrators, and for SVIDs of `roles`: no policy gives it. */
  | { readonly kind: 'administrator'; readonly privilege: Privilege; readonly roles?: readonly Role[] }
  /** What every administrator may do about himself. */
  | { readonly kind: 'session' }
  /** The SVID alone. A superuser's session is looked at where there is one, and not asked for. */
  | { readonly kind: 'role'; readonly anyOf: readonly [Role, ...Role[]] }
  | { readonly kind: 'anyPeer'; readonly because: string };

/** A prefix of paths as their segments; undefined for all paths. */
export type Tenant = readonly string[] | undefined;

/** What was granted; a service reads it from here, and never from the request. */
export type Permission =
  | { readonly kind: 'policy'; readonly action: Action; readonly path: SecretPath }
  | { readonly kind: 'system'; readonly action: Action; readonly at: SystemPath; readonly tenant: Tenant }
  | {
      readonly kind: 'listing';
      readonly action: Action;
      readonly scope: 'all' | 'matching';
      readonly tenant: Tenant;
    }
  | { readonly kind: 'administrator'; readonly privilege: Privilege; readonly tenant: Tenant }
  | { readonly kind: 'session' }
  | { readonly kind: 'role'; readonly role: Role }
  | { readonly kind: 'anyPeer' };

/** What a guard grants, exactly: a permission to read is not one to write. */
export type PermissionOf<G> = G extends { kind: 'policy'; action: infer A; on: string }
  ? { readonly kind: 'policy'; readonly action: A & Action; readonly path: SecretPath }
  : G extends { kind: 'policy'; action: infer A; at: infer At }
    ? {
        readonly kind: 'system';
        readonly action: A & Action;
        readonly at: At & SystemPath;
        readonly tenant: Tenant;
      }
    : G extends { kind: 'listing'; action: infer A }
      ? {
          readonly kind: 'listing';
          readonly action: A & Action;
          readonly scope: 'all' | 'matching';
          readonly tenant: Tenant;
        }
      : G extends { kind: 'administrator'; privilege: infer P }
        ? { readonly kind: 'administrator'; readonly privilege: P & Privilege; readonly tenant: Tenant }
        : G extends { kind: 'session' }
          ? { readonly kind: 'session' }
          : G extends { kind: 'role'; anyOf: readonly (infer R)[] }
            ? { readonly kind: 'role'; readonly role: R & Role }
            : G extends { kind: 'anyPeer' }
              ? { readonly kind: 'anyPeer' }
              : never;
