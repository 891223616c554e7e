import type { Argument, Command, Option } from 'commander';

/** What stands at the cursor. */
export type Position =
  | { readonly kind: 'flag'; readonly command: Command }
  | { readonly kind: 'command'; readonly command: Command }
  /** `before` is the part of the word that belongs to the flag, such as `--format=`. */
  | { readonly kind: 'value'; readonly command: Command; readonly option: Option; readonly before: string }
  | {
      readonly kind: 'argument';
      readonly command: Command;
      readonly argument: Argument;
      readonly index: number;
    }
  /** Behind `--`, or where another program's words begin. */
  | { readonly kind: 'unknown' };

/** Walks down the tree of commands as the arguments are parsed, and says what the last word is. */
export function findPosition(program: Command, words: readonly string[]): Position {
  let command = program;
  let pending: Option | undefined;
  let index = 0;
  for (const word of words.slice(0, -1)) {
    if (pending !== undefined) {
      pending = undefined;
    } else if (word === '--') {
      return { kind: 'unknown' };
    } else if (isFlag(word)) {
      pending = word.includes('=') ? undefined : findOption(command, word);
      if (pending?.required !== true) pending = undefined;
    } else if (command.commands.length > 0) {
      const child = command.commands.find((one) => one.name() === word);
      if (child === undefined) return { kind: 'unknown' };
      command = child;
    } else {
      index++;
    }
  }
  const last = words.at(-1) ?? '';
  if (pending !== undefined) return { kind: 'value', command, option: pending, before: '' };
  if (isFlag(last)) return atFlag(command, last);
  if (command.commands.length > 0) return { kind: 'command', command };
  const { registeredArguments } = command;
  const final = registeredArguments.at(-1);
  const argument = registeredArguments[index] ?? (final?.variadic === true ? final : undefined);
  return argument === undefined ? { kind: 'unknown' } : { kind: 'argument', command, argument, index };
}

function atFlag(command: Command, word: string): Position {
  const at = word.indexOf('=');
  const option = at < 0 ? undefined : findOption(command, word.slice(0, at));
  return option === undefined
    ? { kind: 'flag', command }
    : { kind: 'value', command, option, before: word.slice(0, at + 1) };
}

function isFlag(word: string): boolean {
  return word.startsWith('-');
}

function findOption(command: Command, flag: string): Option | undefined {
  return command.options.find(({ long, short }) => long === flag || short === flag);
}
