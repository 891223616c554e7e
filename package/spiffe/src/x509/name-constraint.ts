import type { Certificate } from './certificate.ts';
import type { NameConstraints } from './extension.ts';
import type { GeneralName } from './general-name.ts';

/** Constraints times names that one verification compares; Go's verifier stops at the same number. */
const mostComparisons = 250_000;

/** What one verification has compared so far, over all paths that it looks at. */
export interface NameEffort {
  comparisons: number;
}

/**
 * Applies the name constraints of every authority of a path to every certificate below it (RFC 5280 4.2.1.10 and
 * 6.1). Returns why the path is refused, or undefined. What cannot be compared is refused, never waved through.
 */
export function findNameViolation(path: readonly Certificate[], effort: NameEffort): string | undefined {
  for (const [depth, authority] of path.entries()) {
    const constraints = authority.nameConstraints;
    if (depth === 0 || constraints === undefined) continue;
    for (const [below, certificate] of path.slice(0, depth).entries()) {
      if (below > 0 && certificate.subject.equals(certificate.issuer)) continue;
      const names = namesOf(certificate);
      effort.comparisons += names.length * (constraints.permitted.length + constraints.excluded.length);
      if (effort.comparisons > mostComparisons) return 'there are too many names and constraints on them';
      const violation = violates(names, constraints);
      if (violation !== undefined) return violation;
    }
  }
  return undefined;
}

function namesOf(certificate: Certificate): readonly GeneralName[] {
  const names = [...(certificate.subjectAltName?.names ?? [])];
  if (!certificate.subject.isEmpty) names.push({ kind: 'directory', name: certificate.subject });
  for (const text of certificate.subject.emails) names.push({ kind: 'email', text });
  return names;
}

function violates(
  names: readonly GeneralName[],
  { permitted, excluded }: NameConstraints,
): string | undefined {
  for (const name of names) {
    const permits = permitted.filter((constraint) => isSameForm(name, constraint));
    const excludes = excluded.filter((constraint) => isSameForm(name, constraint));
    if (permits.length === 0 && excludes.length === 0) continue;
    // `undefined` is "cannot be compared": not permitted by it, and excluded by it.
    if (permits.length > 0 && !permits.some((constraint) => matches(name, constraint) === true)) {
      return `a name (${name.kind}) is outside of what an authority above may name`;
    }
    if (excludes.some((constraint) => matches(name, constraint) !== false)) {
      return `a name (${name.kind}) is among those that an authority above may not name`;
    }
  }
  return undefined;
}

function isSameForm(name: GeneralName, constraint: GeneralName): boolean {
  if (name.kind === 'other' && constraint.kind === 'other') return name.form === constraint.form;
  return name.kind === constraint.kind;
}

/** True, false, or undefined when this name and this constraint cannot be compared. */
function matches(name: GeneralName, constraint: GeneralName): boolean | undefined {
  if (name.kind === 'directory' && constraint.kind === 'directory')
    return name.name.isWithin(constraint.name);
  if (name.kind === 'ip' && constraint.kind === 'ip') return matchesAddress(name.bytes, constraint.bytes);
  if (name.kind === 'dns' && constraint.kind === 'dns') return matchesDns(name.text, constraint.text);
  if (name.kind === 'uri' && constraint.kind === 'uri') return matchesUri(name.text, constraint.text);
  if (name.kind === 'email' && constraint.kind === 'email') return matchesEmail(name.text, constraint.text);
  return undefined;
}

/** Address and mask follow one another; an address of the other family lies outside. */
function matchesAddress(address: Uint8Array, range: Uint8Array): boolean | undefined {
  if (range.length !== 8 && range.length !== 32) return undefined;
  const half = range.length / 2;
  if (!isContiguous(range.subarray(half))) return undefined;
  if (address.length !== half) return false;
  return address.every((octet, i) => ((octet ^ (range[i] ?? 0)) & (range[half + i] ?? 0)) === 0);
}

function isContiguous(mask: Uint8Array): boolean {
  let ended = false;
  for (const octet of mask) {
    if (ended ? octet !== 0 : ![0, 0x80, 0xc0, 0xe0, 0xf0, 0xf8, 0xfc, 0xfe, 0xff].includes(octet))
      return false;
    if (octet !== 0xff) ended = true;
  }
  return true;
}

function isDomain(text: string): boolean {
  return /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(text);
}

/** The constraint covers itself and whatever has labels added at its left; with a leading dot only the latter. */
function matchesDns(name: string, constraint: string): boolean | undefined {
  const base = constraint.toLowerCase();
  if (base === '') return true;
  const dotted = base.startsWith('.');
  const suffix = dotted ? base.slice(1) : base;
  const wildcard = name.startsWith('*.');
  const own = (wildcard ? name.slice(2) : name).toLowerCase();
  if (!isDomain(suffix) || !isDomain(own)) return undefined;
  if (own.endsWith('.' + suffix) || (own === suffix && (wildcard || !dotted))) return true;
  // `*.example.org` names hosts on both sides of a constraint to `a.example.org`.
  return wildcard && suffix.endsWith('.' + own) ? undefined : false;
}

/**
 * A constraint on URIs is about their host: exactly this one, or with a leading dot every host below it. The host
 * of a SPIFFE ID is its trust domain, of which no form is special (ID-5).
 */
function matchesUri(uri: string, constraint: string): boolean | undefined {
  const host = /^[a-z][a-z0-9+.-]*:\/\/([a-z0-9._-]+)(?:[/?#]|$)/i.exec(uri)?.[1]?.toLowerCase();
  return host === undefined ? undefined : matchesHost(host, constraint);
}

function matchesEmail(mailbox: string, constraint: string): boolean | undefined {
  const at = mailbox.lastIndexOf('@');
  if (at < 1 || mailbox.startsWith('"')) return undefined;
  const host = mailbox.slice(at + 1).toLowerCase();
  const wantedAt = constraint.lastIndexOf('@');
  if (wantedAt === -1) return matchesHost(host, constraint);
  const sameHost = matchesHost(host, constraint.slice(wantedAt + 1));
  return sameHost === true ? mailbox.slice(0, at) === constraint.slice(0, wantedAt) : sameHost;
}

function matchesHost(host: string, constraint: string): boolean | undefined {
  const base = constraint.toLowerCase();
  if (!isDomain(host)) return undefined;
  if (base.startsWith('.')) return isDomain(base.slice(1)) ? host.endsWith(base) : undefined;
  return isDomain(base) ? host === base : undefined;
}
