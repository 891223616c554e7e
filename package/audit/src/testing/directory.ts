import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';

/** Paths that do not exist yet, below a directory that is removed after the file's tests. */
export function freshDirectories(): () => string {
  const root = mkdtempSync(join(tmpdir(), 'spike-audit-'));
  after(() => rmSync(root, { recursive: true }));
  let count = 0;
  return () => join(root, String((count += 1)));
}
