import type { Tenant } from '@spike/contract';
import { isRecord } from './record.ts';

/** What is asked of a line. What is undefined is not asked. */
export interface AuditFilter {
  /** Milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly administrator?: string | undefined;
  readonly spiffeId?: string | undefined;
  /** A whole name, or what stands before its dot. */
  readonly action?: string | undefined;
  /** A path, or a directory that it lies below. */
  readonly path?: string | undefined;
  readonly outcome?: string | undefined;
  readonly trail?: string | undefined;
}

/** What is read of a line. Lines of later releases, and those that somebody quoted, may lack anything. */
export interface AuditFacts {
  readonly time: string;
  readonly spiffeId: string;
  readonly administrator: string | undefined;
  readonly action: string;
  readonly path: string | undefined;
  readonly outcome: string;
  readonly trail: string;
}

/** Undefined for what is no record. */
export function readFacts(line: string): AuditFacts | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (!isRecord(value)) return undefined;
  const text = (name: string): string | undefined => {
    const found = value[name];
    return typeof found === 'string' ? found : undefined;
  };
  return {
    time: text('time') ?? '',
    spiffeId: text('spiffeId') ?? '',
    administrator: text('administrator'),
    action: text('action') ?? '',
    path: text('path'),
    outcome: text('outcome') ?? '',
    trail: text('trail') ?? '',
  };
}

/**
 * What a line that fits has to hold somewhere in its text, which costs a hundredth of parsing it. Lines are written by
 * `JSON.stringify`, so a value has one spelling.
 */
export function needlesOf(filter: AuditFilter): readonly string[] {
  const exact = (['administrator', 'spiffeId', 'outcome', 'trail'] as const).flatMap((name) => {
    const value = filter[name];
    return value === undefined ? [] : [`"${name}":${JSON.stringify(value)}`];
  });
  const begins = (['action', 'path'] as const).flatMap((name) => {
    const value = filter[name];
    return value === undefined ? [] : [`"${name}":${JSON.stringify(value).slice(0, -1)}`];
  });
  return [...exact, ...begins];
}

export function fits(facts: AuditFacts, filter: AuditFilter): boolean {
  const time = Date.parse(facts.time);
  const { since, until, administrator, spiffeId, action, path, outcome, trail } = filter;
  return (
    (since === undefined || time >= since) &&
    (until === undefined || time < until) &&
    (administrator === undefined || facts.administrator === administrator) &&
    (spiffeId === undefined || facts.spiffeId === spiffeId) &&
    (action === undefined || facts.action === action || facts.action.startsWith(`${action}.`)) &&
    (path === undefined || isBelow(facts.path, path.split('/'))) &&
    (outcome === undefined || facts.outcome === outcome) &&
    (trail === undefined || facts.trail === trail)
  );
}

/** Whose lines somebody sees. */
export interface Viewer {
  /** Undefined for everything. */
  readonly tenant: Tenant;
  readonly administrator: string | undefined;
}

/** A tenant_admin sees lines about his tenant's paths, and his own. */
export function isVisible(facts: AuditFacts | undefined, { tenant, administrator }: Viewer): boolean {
  if (tenant === undefined) return true;
  if (facts === undefined) return false;
  const isOwn = administrator !== undefined && administrator !== '' && facts.administrator === administrator;
  return isOwn || isBelow(facts.path, tenant);
}

/** Segment by segment: `tenants/acme` is not below `tenants/ac`. */
function isBelow(path: string | undefined, directory: readonly string[]): boolean {
  if (path === undefined) return false;
  const segments = path.split('/');
  return directory.every((segment, index) => segments[index] === segment);
}
