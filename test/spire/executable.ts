import assert from 'node:assert/strict';
import { copyFile, link, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildExecutables } from '../executable.ts';

export type Part = 'nexus' | 'keeper' | 'bootstrap' | 'pilot';

/** A program, and how SPIRE tells its processes from those of all others. */
export interface Known {
  readonly path: string;
  readonly selector: string;
}

/**
 * The executables as doc/guide/production.md has them known: the services by what is in their files, and the command,
 * which people run, by where it lies.
 */
export async function knownExecutables(): Promise<Readonly<Record<Part, Known>>> {
  const directory = await buildExecutables();
  const sums = await readFile(join(directory, 'SHA256SUMS'), 'utf8');
  const service = (name: string): Known => {
    const sum = new RegExp(`^([0-9a-f]{64}) [ *]${name}$`, 'm').exec(sums)?.[1];
    assert(sum !== undefined, `SHA256SUMS has no ${name}`);
    return { path: join(directory, name), selector: `unix:sha256:${sum}` };
  };
  const pilot = join(directory, 'spike');
  return {
    nexus: service('nexus'),
    keeper: service('keeper'),
    bootstrap: service('bootstrap'),
    pilot: { path: pilot, selector: `unix:path:${pilot}` },
  };
}

/**
 * A Node with a path of its own, for a test that has to be taken for a part: a hard link, since SPIRE sees through a
 * symbolic one.
 */
export async function placeStandIn(directory: string, part: Part): Promise<Known> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, part);
  // Another file system, or a Node that is not ours to link.
  await link(process.execPath, path).catch(() => copyFile(process.execPath, path));
  return { path, selector: `unix:path:${path}` };
}
