import { SpikeError } from '@spike/error';
import type { RoleBook } from '@spike/server';
import { SpiffeError, SpiffeId } from '@spike/spiffe';

/** What a denial is about: one SPIFFE ID exactly, or everything below its path, by whole segments. */
export interface Subject {
  readonly id: SpiffeId;
  readonly isPrefix: boolean;
}

const star = '/*';

/**
 * Takes `spiffe://td/app` and `spiffe://td/app/*`. Throws SpikeError `data_invalid_input` for what is no SPIFFE ID in its
 * one spelling, and for a whole trust domain.
 */
export function parseSubject(text: string): Subject {
  const isPrefix = text.endsWith(star);
  const id = parseId(isPrefix ? text.slice(0, -star.length) : text);
  if (id.path !== '') return { id, isPrefix };
  throw refused(
    'a whole trust domain is not denied: name one SPIFFE ID, or the path of its workloads (spiffe://td/workload/*); to stop everything withdraw the identity of Nexus',
  );
}

export function formatSubject({ id, isPrefix }: Subject): string {
  return id.toString() + (isPrefix ? star : '');
}

export function covers(subject: Subject, id: SpiffeId): boolean {
  if (!id.memberOf(subject.id.trustDomain)) return false;
  if (!subject.isPrefix) return subject.id.equals(id);
  return id.path !== subject.id.path && id.isBelow(subject.id.path);
}

/**
 * Throws SpikeError `data_invalid_input` for a subject that is, or covers, a part of SPIKE or somebody who looks after it:
 * a denial is no way to lock the system, nor its administrators out.
 */
export function checkSubject({ id }: Subject, roles: RoleBook): void {
  // A prefix has a first segment, so that it covers none of them unless it lies among them.
  if (!roles.isOwn(id)) return;
  throw refused(
    'SPIKE’s own identities (/spike and below) are not denied: an administrator is disabled with spike admin disable, and everything else loses its registration entry',
  );
}

function parseId(text: string): SpiffeId {
  try {
    return SpiffeId.parse(text);
  } catch (cause) {
    const why = cause instanceof SpiffeError ? cause.message : 'it is not read';
    const form = 'write spiffe://td/path for one ID, or spiffe://td/path/* for all below it';
    throw new SpikeError('data_invalid_input', `this is no SPIFFE ID (${why}): ${form}`, { cause });
  }
}

function refused(message: string): SpikeError {
  return new SpikeError('data_invalid_input', message);
}
