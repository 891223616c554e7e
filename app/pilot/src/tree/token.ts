import type { Invocation } from '../invocation.ts';
import type { RenewFlags, RevokeFlags } from '../option.ts';
import type { TreeCommand } from './command.ts';
import { parseSeconds } from './parse.ts';

export function addToken(program: TreeCommand, invocation: Invocation): void {
  const group = program.command('token').description('see, renew and end the sessions of administrators');
  const load = () => import('../command/token.ts');
  group
    .command('list')
    .description('list sessions: whose, from where, since when; never the token')
    .action(async () => (await load()).listTokens(invocation));
  group
    .command('show')
    .description('show one session')
    .argument('[accessor]', 'the own one by default')
    .action(async (accessor: string | undefined) => (await load()).showToken(invocation, accessor));
  group
    .command('renew')
    .description('let the own session end later, at most 12 hours after its login')
    .option('--ttl <duration>', 'from now on (default: 1h)', parseSeconds)
    .action(async (flags: RenewFlags) => (await load()).renewToken(invocation, flags));
  group
    .command('revoke')
    .description('end sessions, with the next request on')
    .argument('[accessor]')
    .option('--user <name>', 'those of one administrator')
    .option('--all', 'all, the own one included')
    .action(async (accessor: string | undefined, flags: RevokeFlags) =>
      (await load()).revokeTokens(invocation, accessor, flags),
    )
    .example('spike token revoke --user bob', 'for a token that may be known to others');
}
