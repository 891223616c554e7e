import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { filesBelow } from '../search.ts';
import { known, learn, learnForms, type Kind } from './known.ts';

/** Where something secret belongs, and what. */
const places: readonly (readonly [path: RegExp, ...kinds: readonly Kind[]])[] = [
  [/\/pilot\/token\.json$/u, 'token'],
  [/\/nexus\/init-code$/u, 'init code'],
  [/\/\.?spike\.recovery\.\d+\.txt(\.new)?$/u, 'share'],
  [/\/authority\/(authority\.pem|jwt\.json)$/u, 'private key'],
  [/\/[\w-]+\.key$/u, 'age identity'],
];

/**
 * Fails when a file below this directory, or something that a process said, holds what belongs elsewhere. What lies in its
 * own place is learnt before.
 */
export async function searchWritten(
  directory: string,
  said: Readonly<Record<string, string>> = {},
): Promise<void> {
  await learnPlaces(directory);
  const leaks = await known.below(directory, kindsOf);
  for (const [what, text] of Object.entries(said)) {
    leaks.push(...known.find(text).map(({ name, offset }) => `${name} in ${what} at ${offset}`));
  }
  if (leaks.length > 0) throw new Error(`a leak:\n${leaks.join('\n')}`);
}

/** Alerts, copies of the audit, checkpoints, backups and scripts: systems write them wherever a test wants them. */
const ofSystems = /\.(jsonl|checkpoint|age|sh)$/u;

/** The same for a directory in which tests put secrets into files, too: of what only systems write there. */
export async function searchScratch(directory: string): Promise<void> {
  const leaks = await known.below(directory, kindsOf, (path) => ofSystems.test(path));
  if (leaks.length > 0) throw new Error(`a leak:\n${leaks.join('\n')}`);
}

/** Learns what lies where it belongs. */
export async function learnPlaces(directory: string): Promise<void> {
  for (const path of await filesBelow(directory)) {
    if (kindsOf(path).length === 0) continue;
    const text = await readFile(path, 'utf8').catch(() => '');
    if (basename(path) === 'init-code') learn('init code', text);
    // In JSON a line of a key ends with two characters.
    learnForms(text.replaceAll(String.raw`\n`, '\n'));
  }
}

function kindsOf(path: string): readonly Kind[] {
  return places.flatMap(([place, ...kinds]) => (place.test(path) ? kinds : []));
}
