import { parseDuration } from '@spike/config';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { parseFormat, type Format } from './output/format.ts';

/** What may be asked of every command. */
export interface Settings {
  format: Format;
  color: boolean;
  pager: boolean;
  trace: boolean;
  /** For everything that waits for the system; undefined: the command's own bounds. */
  timeoutMs: number | undefined;
  /** The token is in the first line of standard input. */
  tokenStdin: boolean;
}

const mostTimeoutMs = 3_600_000;

export function defaultSettings(): Settings {
  return { format: 'human', color: true, pager: true, trace: false, timeoutMs: undefined, tokenStdin: false };
}

/** Gives a command the options that all have. A short name that it uses for something of its own stays its own. */
export function addSettings(command: Command): void {
  const isTaken = (flag: string): boolean =>
    command.options.some((option) => option.short === flag || option.long === flag);
  const add = (option: Option): void => {
    if (option.long !== undefined && !isTaken(option.long)) command.addOption(option);
  };
  const flags = isTaken('-f') ? '--format <format>' : '-f, --format <format>';
  add(new Option(flags, 'human, json or yaml; of errors, too').argParser(parseFormat));
  add(
    new Option('--timeout <duration>', 'how long to wait for the system, such as 2s').argParser(parseTimeout),
  );
  add(new Option('--trace', 'say on standard error what was asked of the system, without what is secret'));
  add(new Option('--token-stdin', 'the token of a session is the first line of standard input'));
  add(new Option('--no-color', 'no colours (nor with NO_COLOR, nor outside of a terminal)'));
  add(new Option('--no-pager', 'no pager for long output in a terminal'));
}

/** What was asked, before or behind the name of the command; behind wins. */
export function readSettings(command: Command): Partial<Settings> {
  const outer = command.parent === null ? {} : readSettings(command.parent);
  const given = (name: string): unknown =>
    command.getOptionValueSource(name) === 'cli' ? command.getOptionValue(name) : undefined;
  const format = given('format');
  const timeoutMs = given('timeout');
  return {
    ...outer,
    ...(typeof format === 'string' ? { format: parseFormat(format) } : {}),
    ...(typeof timeoutMs === 'number' ? { timeoutMs } : {}),
    ...(given('trace') === true ? { trace: true } : {}),
    ...(given('tokenStdin') === true ? { tokenStdin: true } : {}),
    ...(given('color') === false ? { color: false } : {}),
    ...(given('pager') === false ? { pager: false } : {}),
  };
}

/** The format that the arguments ask for, before they are understood: an error in them is told in it, too. */
export function guessFormat(argv: readonly string[]): Format {
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  for (const [index, word] of words.entries()) {
    const value = /^(?:--format=|-f=?)(.+)$/.exec(word)?.[1];
    const told = word === '-f' || word === '--format' ? words[index + 1] : value;
    if (told === undefined) continue;
    try {
      return parseFormat(told);
    } catch {
      return 'human';
    }
  }
  return 'human';
}

function parseTimeout(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0 && ms <= mostTimeoutMs) return ms;
  throw new InvalidArgumentError('a duration is written as 500ms, 2s or 1m30s, up to 1h.');
}
