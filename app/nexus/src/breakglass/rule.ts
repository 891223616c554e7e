import { SpikeError } from '@spike/error';
import type { AdministratorRecord } from '../admin/administrator-record.ts';

const recentMs = 7 * 24 * 3_600_000;

/**
 * Whether one administrator is somebody else than another, as far as records tell: neither the same, nor an account that
 * he made or got the one-time password of within 7 days, and so may hold himself. Throws SpikeError
 * `entity_version_conflict`. `now` is not that of a wall clock, which could be set.
 */
export function checkSecondPerson(opener: string, approver: AdministratorRecord, now: number): void {
  if (approver.name === opener) refuse('nobody approves his own break-glass: ask another super_admin');
  if (approver.createdBy === opener && now - approver.createdAt < recentMs)
    refuse(`${opener} made your account within 7 days: ask another super_admin`);
  if (approver.issuedBy === opener && now - approver.issuedAt < recentMs)
    refuse(`${opener} reset your password within 7 days: ask another super_admin`);
}

/** Whether a break-glass may give access to whoever has this record. */
export function isEmergencyAdmin(record: AdministratorRecord | undefined): boolean {
  return record?.role === 'emergency_admin' && record.state === 'enabled';
}

function refuse(message: string): never {
  throw new SpikeError('entity_version_conflict', message);
}
