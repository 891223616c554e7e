import type { Command } from 'commander';
import { pathOf } from '../tree/command.ts';
import { findPosition, type Position } from './position.ts';

export interface Candidate {
  readonly text: string;
  readonly says: string;
}

export interface Completion {
  readonly candidates: readonly Candidate[];
  /** Names of files are the shell's to complete, behind this part of the word. */
  readonly filesBehind?: string;
}

/** What only a running system knows. */
export interface Lookup {
  /** One level of paths that begin so; what ends with a slash has something below. */
  paths(prefix: string): Promise<readonly string[]>;
  policies(): Promise<readonly string[]>;
  /** What is denied, as it is lifted. */
  denied(): Promise<readonly string[]>;
}

const none: Completion = { candidates: [] };
const formats = ['human', 'json', 'yaml'];
const permissions = ['read', 'write', 'list', 'execute', 'super'];

/** What the last word can become. The lookup is asked only where paths, names of policies or denied IDs go. */
export async function findCandidates(
  program: Command,
  words: readonly string[],
  lookup: Lookup,
): Promise<Completion> {
  const position = findPosition(program, words);
  const last = words.at(-1) ?? '';
  const found = await candidatesAt(position, last, lookup);
  return { ...found, candidates: found.candidates.filter(({ text }) => text.startsWith(last)) };
}

async function candidatesAt(position: Position, last: string, lookup: Lookup): Promise<Completion> {
  switch (position.kind) {
    case 'flag':
      return { candidates: flagsOf(position.command) };
    case 'command':
      return { candidates: commandsOf(position.command) };
    case 'value':
      return await valuesOf(position, last, lookup);
    case 'argument':
      return await argumentsAt(position, last, lookup);
    case 'unknown':
      return none;
  }
}

function flagsOf(command: Command): readonly Candidate[] {
  const options = command.createHelp().visibleOptions(command);
  return options.flatMap(({ long, description }) =>
    long === undefined || long === null ? [] : [{ text: long, says: description }],
  );
}

function commandsOf(command: Command): readonly Candidate[] {
  const children = command.createHelp().visibleCommands(command);
  return children.map((child) => ({ text: child.name(), says: child.description() }));
}

async function valuesOf(
  { command, option, before }: Position & { readonly kind: 'value' },
  last: string,
  lookup: Lookup,
): Promise<Completion> {
  const of = (texts: readonly string[]): Completion => ({
    candidates: texts.map((text) => ({ text: `${before}${text}`, says: '' })),
  });
  switch (option.long ?? '') {
    case '--format':
      return of(formats);
    case '--permissions':
      return of(listsOf(permissions, last.slice(before.length)));
    case '--name':
      return isOf(command, 'policy') ? of(await lookup.policies()) : none;
    default:
      // The flags that name a file say so.
      return /<file>/.test(option.flags) ? { candidates: [], filesBehind: before } : none;
  }
}

/** A list that is being typed, with each name that is not in it yet. */
function listsOf(names: readonly string[], typed: string): readonly string[] {
  const done = typed.split(',').slice(0, -1);
  return names.filter((name) => !done.includes(name)).map((name) => [...done, name].join(','));
}

async function argumentsAt(
  { command, argument }: Position & { readonly kind: 'argument' },
  last: string,
  lookup: Lookup,
): Promise<Completion> {
  const plain = (texts: readonly string[]): Completion => ({
    candidates: texts.map((text) => ({ text, says: '' })),
  });
  switch (argument.name()) {
    case 'path':
      return plain(await findPaths(last, lookup));
    case 'prefix':
      return plain((await findPaths(last, lookup)).filter((path) => path.endsWith('/')));
    case 'name':
      return isOf(command, 'policy') ? plain(await lookup.policies()) : none;
    case 'denied':
      return plain(await lookup.denied());
    case 'values': {
      const file = /^[^=]+=@/.exec(last)?.[0];
      return file === undefined ? none : { candidates: [], filesBehind: file };
    }
    case 'file':
      return { candidates: [], filesBehind: '' };
    default:
      return plain(argument.argChoices ?? []);
  }
}

/** Paths may be typed with a slash in front, which is not part of them. */
async function findPaths(typed: string, lookup: Lookup): Promise<readonly string[]> {
  const slash = typed.startsWith('/') ? '/' : '';
  return (await lookup.paths(typed.slice(slash.length))).map((path) => `${slash}${path}`);
}

function isOf(command: Command, group: string): boolean {
  return pathOf(command)[0] === group;
}

/**
 * What the scripts read: a line that says how to go on (`:word`, `:open` for no blank behind it, `:files` and what
 * stands before the name of a file), then a candidate on each line, with what it is behind a tab.
 */
export function formatCompletion({ candidates, filesBehind }: Completion): string {
  // A line break or a tab would be read as another candidate; no path and no name has one.
  const safe = candidates.filter(({ text }) => !/\p{Cc}/u.test(text));
  const isOpen = safe.length > 0 && safe.every(({ text }) => text.endsWith('/'));
  const first = filesBehind === undefined ? (isOpen ? ':open' : ':word') : `:files ${filesBehind}`;
  return `${[first, ...safe.map(({ text, says }) => (says === '' ? text : `${text}\t${says}`))].join('\n')}\n`;
}
