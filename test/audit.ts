import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Home } from '@spike/config';

export interface AuditLine {
  readonly sequence: number;
  readonly trail: string;
  readonly action: string;
  readonly outcome: string;
  readonly spiffeId?: string;
  readonly path?: string;
  readonly subject?: string;
  readonly code?: string;
  readonly administrator?: string;
  readonly accessor?: string;
}

/** Every line of the audit of a system that is stopped, checked for what holds of each audit. */
export async function readAudit(home: Home): Promise<readonly AuditLine[]> {
  const names = (await readdir(home.audit)).filter((name) => /^\d+\.jsonl$/u.test(name)).toSorted();
  assert(names.length > 0, 'there is no audit');
  const files = await Promise.all(names.map((name) => readFile(join(home.audit, name), 'utf8')));
  const text = files.join('');
  assert(text.endsWith('\n'), 'the last line is whole');
  const lines = text
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line) as AuditLine);
  for (const [index, { sequence }] of lines.entries()) assert.equal(sequence, index, 'its place in the file');
  const trails = new Set(lines.map(({ trail }) => trail));
  assert.equal(trails.size, lines.length, 'no request is there twice');
  return lines;
}
