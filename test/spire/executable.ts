import { copyFile, link } from 'node:fs/promises';
import { join } from 'node:path';
import { mainOf } from '../parts.ts';

export type Part = 'nexus' | 'keeper' | 'bootstrap' | 'pilot';

const fileNames: Readonly<Record<Part, string>> = {
  nexus: 'nexus',
  keeper: 'keeper',
  bootstrap: 'bootstrap',
  pilot: 'spike',
};

/** Those of bin/runtime.mjs that say what a process may do. */
const flags = [
  '--disable-warning=ExperimentalWarning',
  '--disallow-code-generation-from-strings',
  '--disable-proto=delete',
  '--disable-sigusr1',
];

/** A program that SPIRE tells from all others by the path of its executable. */
export interface Executable {
  readonly path: string;
  /** The executable, and what has to come before the arguments of the part. */
  readonly command: readonly string[];
}

/**
 * One executable for each part. From source all parts are the same Node, so each gets a name of its own for it: a hard
 * link, since SPIRE sees through a symbolic one.
 */
export async function placeExecutables(directory: string): Promise<Readonly<Record<Part, Executable>>> {
  const place = async (part: Part): Promise<Executable> => {
    const path = await placeNode(join(directory, fileNames[part]));
    return { path, command: [path, ...flags, mainOf(part)] };
  };
  const [nexus, keeper, bootstrap, pilot] = await Promise.all([
    place('nexus'),
    place('keeper'),
    place('bootstrap'),
    place('pilot'),
  ]);
  return { nexus, keeper, bootstrap, pilot };
}

async function placeNode(path: string): Promise<string> {
  // Another file system, or a Node that is not ours to link.
  await link(process.execPath, path).catch(() => copyFile(process.execPath, path));
  return path;
}
