import { globSync } from 'node:fs';
import { root } from './step.ts';

const isOurs = (path: string): boolean => !path.includes('node_modules');

/** Test files below the given folders; a name that ends in `.long.test.ts` belongs to the long run. */
export function findTestFiles(kind: 'quick' | 'long', folders: readonly string[]): readonly string[] {
  return folders
    .flatMap((folder) => globSync(`${folder}/**/*.test.ts`, { cwd: root }))
    .filter((path) => isOurs(path) && path.endsWith('.long.test.ts') === (kind === 'long'))
    .toSorted();
}
