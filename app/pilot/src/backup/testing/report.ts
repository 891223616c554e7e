import type { Report } from '../send.ts';

/** Of a backup of three records, all of which open. */
export const sampleReport: Report = {
  digest: 'ab',
  instance: 'instance-1',
  createdAt: '2026-05-01T00:00:00.000Z',
  release: '0.1.0',
  revision: 1,
  recoverable: true,
  rows: { secret: 3 },
  opened: 3,
  whole: true,
  problems: [],
  policies: [],
  administrators: [],
  deniedIds: [],
};
