import { globSync } from 'node:fs';
import { root } from './step.ts';

const isOurs = (path: string): boolean => !path.includes('node_modules');

/** The runs of tests other than the quick one, and what the names of their files end in. */
const suffixes = { long: '.long.test.ts', spire: '.spire.test.ts' } as const;

/** Test files below the given folders; those whose names end in no suffix belong to the quick run. */
export function findTestFiles(
  kind: 'quick' | keyof typeof suffixes,
  folders: readonly string[],
): readonly string[] {
  const belongs = (path: string): boolean =>
    kind === 'quick'
      ? !Object.values(suffixes).some((suffix) => path.endsWith(suffix))
      : path.endsWith(suffixes[kind]);
  return folders
    .flatMap((folder) => globSync(`${folder}/**/*.test.ts`, { cwd: root }))
    .filter((path) => isOurs(path) && belongs(path))
    .toSorted();
}
