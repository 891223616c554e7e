import { Command, InvalidArgumentError } from 'commander';
import type { Invocation } from './invocation.ts';
import type {
  ContextOptions,
  EntryFlags,
  FormatOptions,
  ListFilters,
  PolicyFlags,
  StatusOptions,
} from './option.ts';

const formatHelp = 'human, json or yaml';

/**
 * The tree of commands: names, positions and flags, which are those of the Go command where it has them. What a command
 * does is loaded when it runs, so that --help and --version need no agent and no time.
 */
export function createProgram(invocation: Invocation): Command {
  const program = new Command('spike')
    .description('Stores and reads secrets by SPIFFE identity, and looks after the system that keeps them.')
    .version(invocation.version, '--version', 'print the version')
    .showHelpAfterError('Run it with --help to see how it is used.')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void invocation.stdout.write(text),
      writeErr: (text) => void invocation.stderr.write(text),
    });
  addSecret(program, invocation);
  addPolicy(program, invocation);
  addOperator(program, invocation);
  addAuthority(program, invocation);
  program
    .command('status')
    .description('show what runs, in which state, and who you are')
    .option('--verify', 'have Nexus check every record of its store (takes time)')
    .option('-f, --format <format>', formatHelp, '')
    .action(async (options: StatusOptions) =>
      (await import('./command/status.ts')).showStatus(invocation, options),
    );
  program
    .command('dev')
    .description('run a whole SPIKE on this machine (what `npm start` does)')
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[options...]', 'see `spike dev --help`')
    .action(async (args: string[]) => becomePart('launcher', args, invocation));
  program
    .command('context')
    .description("print the running system's addresses and socket")
    .option('--shell', 'as exports of the variables that any client of SPIKE or SPIFFE reads')
    .option('-f, --format <format>', formatHelp, '')
    .action(async (options: ContextOptions) =>
      (await import('./command/context.ts')).showContext(invocation, options),
    );
  inheritSettings(program);
  // Their options are those of another program, which has a help of its own; copied settings would bring ours back.
  for (const path of [['dev'], ['authority', 'serve']]) find(program, path)?.helpOption(false);
  return program;
}

async function becomePart(
  app: 'launcher' | 'authority',
  args: readonly string[],
  { env }: Invocation,
): Promise<never> {
  return (await import('./command/part.ts')).becomePart(app, args, env);
}

function find(command: Command, path: readonly string[]): Command | undefined {
  const [name, ...rest] = path;
  const child = command.commands.find((one) => one.name() === name);
  return child === undefined || rest.length === 0 ? child : find(child, rest);
}

function addSecret(program: Command, invocation: Invocation): void {
  const group = program.command('secret').description('store, read, list and delete secrets');
  const load = () => import('./command/secret.ts');
  group
    .command('put')
    .description('store a new version of a secret; all its values are replaced')
    .argument('<path>', 'such as tenants/acme/db')
    .argument('<values...>', 'key=value, key=- (hidden prompt or standard input) or key=@file')
    .action(async (path: string, values: string[]) => (await load()).putSecret(invocation, path, values));
  group
    .command('get')
    .description('print a secret, or one value of it')
    .argument('<path>')
    .argument('[key]', 'print this value alone')
    .option('-v, --version <number>', 'version to read; 0 is the current one', parseCount, 0)
    .option('-f, --format <format>', formatHelp, '')
    .action(async (path: string, key: string | undefined, options: FormatOptions & { version: number }) =>
      (await load()).getSecret(invocation, path, key, options),
    );
  group
    .command('list')
    .description('list the paths that you may list')
    .option('-f, --format <format>', formatHelp, '')
    .action(async (options: FormatOptions) => (await load()).listSecrets(invocation, options));
  group
    .command('delete')
    .description('mark versions of a secret as deleted')
    .argument('<path>')
    .option('-v, --versions <numbers>', 'comma list; 0 is the current one', parseCounts, [0])
    .action(async (path: string, options: { versions: readonly number[] }) =>
      (await load()).deleteSecret(invocation, path, options.versions),
    );
}

function addPolicy(program: Command, invocation: Invocation): void {
  const group = program.command('policy').description('say who may do what on which paths');
  const load = () => import('./command/policy.ts');
  const withFlags = (command: Command): Command =>
    command
      .option('--name <name>')
      .option('--path-pattern <pattern>', 'RE2 pattern that the whole path must match')
      .option('--spiffeid-pattern <pattern>', 'RE2 pattern that the whole SPIFFE ID must match')
      .option('--permissions <list>', 'comma list of read, write, list, execute, super');
  withFlags(group.command('create').description('make a policy that does not exist yet')).action(
    async (flags: PolicyFlags) => (await load()).createPolicy(invocation, flags),
  );
  withFlags(group.command('apply').description('make a policy or replace it'))
    .option('--file <file>', 'YAML with name, spiffeidPattern, pathPattern, permissions')
    .action(async (flags: PolicyFlags) => (await load()).applyPolicy(invocation, flags));
  group
    .command('list')
    .description('list policies')
    .option('--path-pattern <pattern>', 'only those with exactly this path pattern')
    .option('--spiffeid-pattern <pattern>', 'only those with exactly this SPIFFE ID pattern')
    .option('-f, --format <format>', formatHelp, '')
    .action(async (options: ListFilters) => (await load()).listPolicies(invocation, options));
  group
    .command('get')
    .description('print a policy')
    .argument('[name]')
    .option('--name <name>')
    .option('-f, --format <format>', formatHelp, '')
    .action(async (name: string | undefined, options: FormatOptions & { name?: string }) =>
      (await load()).getPolicy(invocation, name ?? options.name, options),
    );
  group
    .command('delete')
    .description('delete a policy')
    .argument('[name]')
    .option('--name <name>')
    .option('-y, --yes', 'do not ask')
    .action(async (name: string | undefined, options: { name?: string; yes?: boolean }) =>
      (await load()).deletePolicy(invocation, name ?? options.name, options.yes === true),
    );
}

function addOperator(program: Command, invocation: Invocation): void {
  const group = program
    .command('operator')
    .description('take recovery shares out, and put the root key together again');
  const load = () => import('./command/operator.ts');
  group
    .command('recover')
    .description('write the recovery shares to files, one for each holder (needs the recover identity)')
    .action(async () => (await load()).recoverShares(invocation));
  group
    .command('restore')
    .description(
      'give Nexus one recovery share, from a hidden prompt or standard input (needs the restore identity)',
    )
    .action(async () => (await load()).restoreShare(invocation));
}

function addAuthority(program: Command, invocation: Invocation): void {
  const group = program.command('authority').description('the identity authority of this machine');
  const load = () => import('./command/authority.ts');
  group
    .command('run')
    .description('run a program that holds this SPIFFE ID and no other')
    .argument('<id>', 'spiffe://… or the path alone')
    .argument('<command...>', 'after --')
    .passThroughOptions()
    .action(async (id: string, command: string[]) => (await load()).runWithIdentity(invocation, id, command));
  group
    .command('serve')
    .description('run the authority alone, for SPIFFE without SPIKE (`npm start` runs one of its own)')
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[options...]', 'see `spike authority serve --help`')
    .action(async (args: string[]) => becomePart('authority', args, invocation));
  const entry = group.command('entry').description('registration entries: who gets which SPIFFE ID');
  entry
    .command('list')
    .description('list all entries')
    .option('-f, --format <format>', formatHelp, '')
    .action(async (options: FormatOptions) => (await load()).listEntries(invocation, options));
  entry
    .command('show')
    .description('print one entry')
    .argument('<entry>', 'its id')
    .option('-f, --format <format>', formatHelp, '')
    .action(async (id: string, options: FormatOptions) => (await load()).showEntry(invocation, id, options));
  entry
    .command('create')
    .description('make an entry; without a selector it is bound to your uid')
    .requiredOption('--spiffe-id <id>')
    .option(
      '--selector <type:value>',
      'uid, gid, path, sha256 or pid; all that are given must match',
      collect,
      [],
    )
    .option('-f, --format <format>', formatHelp, '')
    .action(async (flags: EntryFlags) => (await load()).createEntry(invocation, flags));
  entry
    .command('delete')
    .description('delete an entry; whoever holds its identity loses it at once')
    .argument('<entry>', 'its id')
    .action(async (id: string) => (await load()).deleteEntry(invocation, id));
}

function inheritSettings(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inheritSettings(child);
  }
}

function parseCount(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('a version is a whole number.');
}

function parseCounts(text: string): readonly number[] {
  return text.split(',').map((part) => parseCount(part.trim()));
}

function collect(value: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, value];
}
