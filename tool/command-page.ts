import { createProgram } from '../app/pilot/src/program.ts';
import { rehearse } from '../app/pilot/src/testing/invocation.ts';
import { leavesOf, pathOf, type TreeCommand } from '../app/pilot/src/tree/command.ts';
import { addSettings } from '../app/pilot/src/setting.ts';

type Option = TreeCommand['options'][number];
type Argument = TreeCommand['registeredArguments'][number];

const exitCodes = [
  [0, 'done; also when a person answered no'],
  [1, 'failed; `status`: the system is there and not well'],
  [2, 'not understood: a command, a flag, a path, a file; nothing was sent'],
  [3, 'not found'],
  [4, 'denied, or no identity for this process'],
  [5, 'Nexus is not ready, or was asked for too much at once: try again later'],
  [6, 'conflict: somebody else wrote first, it exists already, or there are as many as there may be'],
  [7, 'cannot connect, no agent, or the time of `--timeout` is over'],
  [8, 'log in first'],
  [9, 'initialised already'],
  [130, 'interrupted by Ctrl-C (143: by SIGTERM)'],
] as const;

/** A page with every command: how it is called, its flags, examples. From the tree that the command itself runs on. */
export function commandPage(): string {
  const program = createProgram(rehearse().invocation);
  const common = createCommon(program);
  const commands = leavesOf(program).filter((leaf) =>
    program.createHelp().visibleCommands(parentOf(leaf)).includes(leaf),
  );
  return [
    '# Commands',
    '',
    'Every command of `spike`. What they have in common (formats, questions, completion, scripts) is told in',
    '[the guide](../guide/command.md). Written by `npm run reference` from `app/pilot/src/tree`.',
    '',
    '## Options of every command',
    '',
    'Before the name of a command or behind it; not with `authority run`, `authority serve`, `dev` and `completion`.',
    '',
    ...formatOptions(common),
    '',
    '## Exit codes',
    '',
    '| code | what it says |',
    '|---|---|',
    ...exitCodes.map(([code, says]) => `| ${code} | ${says} |`),
    '',
    'Which error has which is in [Error codes](error.md).',
    '',
    ...commands.flatMap((command) => formatCommand(command, common)),
  ].join('\n');
}

function parentOf(command: TreeCommand): TreeCommand {
  return command.parent as TreeCommand;
}

function createCommon(program: TreeCommand): readonly Option[] {
  const command = program.createCommand('common');
  addSettings(command);
  return command.options;
}

function formatCommand(command: TreeCommand, common: readonly Option[]): readonly string[] {
  const isCommon = ({ long }: Option): boolean => common.some((one) => one.long === long);
  const own = command.options.filter((option) => !isCommon(option));
  const described = command.registeredArguments.filter(({ description }) => description !== '');
  return [
    `## spike ${pathOf(command).join(' ')}`,
    '',
    `${capitalize(command.description())}.`,
    '',
    '```',
    [
      'spike',
      ...pathOf(command),
      ...command.registeredArguments.map(formatArgument),
      ...(own.length > 0 ? ['[options]'] : []),
    ].join(' '),
    '```',
    '',
    ...(described.length === 0
      ? []
      : ['| argument | what it is |', '|---|---|', ...described.map(rowOfArgument), '']),
    ...(own.length === 0 ? [] : [...formatOptions(own), '']),
    ...(command.examples.length === 0
      ? []
      : ['```sh', ...command.examples.flatMap(({ line, says }) => [`# ${says}`, line]), '```', '']),
  ];
}

function formatArgument(argument: Argument): string {
  const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
  return argument.required ? `<${name}>` : `[${name}]`;
}

function rowOfArgument(argument: Argument): string {
  return `| \`${argument.name()}\` | ${escape(argument.description)} |`;
}

function formatOptions(options: readonly Option[]): readonly string[] {
  return [
    '| option | what it does |',
    '|---|---|',
    ...options.map(({ flags, description, mandatory }) => {
      return `| \`${flags.replaceAll('|', '\\|')}\` | ${escape(description)}${mandatory ? ' (required)' : ''} |`;
    }),
  ];
}

function escape(text: string): string {
  return text
    .replaceAll('|', '\\|')
    .replaceAll('<', '&lt;')
    .replaceAll(/`([^`]*)`/g, (code) => code.replaceAll('&lt;', '<'));
}

function capitalize(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
