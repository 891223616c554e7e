import type { Permission } from './permission.ts';
import type { PolicyRecord } from './policy.ts';

type Compared = Pick<PolicyRecord, 'spiffePattern' | 'pathPattern' | 'permissions'>;

/**
 * Why a policy lets through more than the one that it replaces, or nothing (admin.md G): it is new, has a further
 * permission, has `super`, or a pattern changed in any other way than by a further literal segment. What can't be seen to
 * be narrower counts as wider: languages of patterns are not compared.
 */
export function findWidening(before: Compared | undefined, after: Compared): readonly string[] {
  if (before === undefined) return ['it is new'];
  const added = after.permissions.filter((permission) => !has(before, permission));
  return [
    ...new Set(added.map((permission) => `it gives ${permission}, too`)),
    ...(after.permissions.includes('super') ? ['it gives super'] : []),
    ...(isNarrowed(before.pathPattern, after.pathPattern) ? [] : ['its path pattern changed']),
    ...(isNarrowed(before.spiffePattern, after.spiffePattern) ? [] : ['its SPIFFE ID pattern changed']),
  ];
}

function has({ permissions }: Compared, permission: Permission): boolean {
  return permissions.includes('super') || permissions.includes(permission);
}

/** A subtree: plain text that ends with a slash, and everything below it. */
const subtree = /^(\^?(?:[A-Za-z0-9_./:-]|\\[.-])*\/)\.[*+]\$?$/;
/** Literal segments, and then nothing more, a slash, or everything below them. */
const segments = /^(?:[A-Za-z0-9_-]|\\[.-])+(?:\/(?:[A-Za-z0-9_-]|\\[.-])+)*(?:\/\.[*+])?\$?$/;

/**
 * Whether a pattern is the same, or a subtree of which a further literal segment is asked. Below any other pattern a
 * further segment gives other paths instead of fewer: whole texts are matched.
 */
export function isNarrowed(before: string, after: string): boolean {
  if (before === after) return true;
  const stem = subtree.exec(before)?.[1];
  return stem !== undefined && after.startsWith(stem) && segments.test(after.slice(stem.length));
}
