import type { Invocation } from '../invocation.ts';
import { InvalidArgumentError } from 'commander';
import type { SpireEntryFlags } from '../option.ts';
import { services, type Service } from '../spire/part.ts';
import type { TreeCommand } from './command.ts';
import { collect, parseSeconds } from './parse.ts';

export function addOperator(program: TreeCommand, invocation: Invocation): void {
  const group = program
    .command('operator')
    .description('take recovery shares out, put the root key together again, and replace a lost password');
  const load = () => import('../command/operator.ts');
  group
    .command('recover')
    .description('write the recovery shares to files, one for each holder (needs the recover identity)')
    .option('--replace', 'also over recovery shares of another instance, which are lost then')
    .action(async (options: { replace?: true }) => (await load()).recoverShares(invocation, options))
    .example('spike operator recover', 'into ~/.spike/recover, or below SPIKE_PILOT_RECOVERY_DIR');
  group
    .command('restore')
    .description(
      'give Nexus one recovery share, from a hidden prompt or standard input (needs the restore identity)',
    )
    .action(async () => (await load()).restoreShare(invocation))
    .example(
      'spike operator restore < spike.recovery.1.txt',
      'the first share; then the next, until it says so',
    );
  group
    .command('reset-password')
    .description(
      'give an administrator a one-time password, when holders of recovery shares have approved it (needs the recover identity)',
    )
    .requiredOption('--user <name>', 'whose password is lost')
    .action(async (flags: { user: string }) => (await load()).resetLostPassword(invocation, flags.user))
    .example(
      'spike operator reset-password --user admin',
      'says what the holders have to type; then once more, for the password',
    );
  addSpireEntries(group, invocation);
}

function addSpireEntries(group: TreeCommand, invocation: Invocation): void {
  group
    .command('spire-entries')
    .description(
      'print the `spire-server entry create` commands for the executables of this machine; changes nothing',
    )
    .requiredOption('--parent <id>', 'SPIFFE ID of the SPIRE agent on this machine')
    .option('--bin <directory>', 'where the executables lie (default: beside this one)')
    .option(
      '--part <part>',
      'nexus, keeper or bootstrap; may be given again (default: all three)',
      collectPart,
      [],
    )
    .option('--no-services', 'only the entries of people')
    .option(
      '--service-user <part=user>',
      'who runs a part (default: spike-nexus, spike-keeper and spike-bootstrap)',
      collectUser,
      [],
    )
    .option('--superuser <user>', 'somebody who administers, with an ID of their own', collectName, [])
    .option('--recover <user>', 'somebody who takes recovery shares out', collectName, [])
    .option('--restore <user>', 'somebody who brings recovery shares back', collectName, [])
    .option('--federates-with <domain>', 'another trust domain whose workloads Nexus serves', collect, [])
    .option('--svid-ttl <duration>', 'how long an SVID lives (default: 1h)', parseSeconds)
    .action(async (flags: SpireEntryFlags) =>
      (await import('../command/spire-entries.ts')).printSpireEntries(invocation, flags),
    )
    .example(
      'spike operator spire-entries --parent spiffe://spike.ist/spire/agent/join_token/vault --superuser ann',
      'for all parts and one administrator; with -f json for `spire-server entry create -data`',
    );
}

function collectPart(text: string, earlier: readonly Service[]): readonly Service[] {
  return [...earlier, parseService(text)];
}

function collectUser(
  text: string,
  earlier: readonly (readonly [Service, string])[],
): readonly (readonly [Service, string])[] {
  const [, part = '', user = ''] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
  return [...earlier, [parseService(part), parseUser(user)]];
}

function collectName(text: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, parseUser(text)];
}

function parseService(text: string): Service {
  const service = services.find((name) => name === text);
  if (service !== undefined) return service;
  throw new InvalidArgumentError(`a part is one of ${services.join(', ')}.`);
}

/** As useradd(8) takes them: what else a selector could come to is not for it to say. */
function parseUser(text: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_.-]{0,31}$/.test(text)) return text;
  throw new InvalidArgumentError(
    'the name of a user has up to 32 letters, digits, dots, dashes and underscores.',
  );
}
