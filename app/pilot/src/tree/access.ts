import { Option } from 'commander';
import type { Invocation } from '../invocation.ts';
import type { ChangeFlags, InitFlags, LoginFlags, LogoutFlags } from '../option.ts';
import type { TreeCommand } from './command.ts';
import { parseCount, parseSeconds } from './parse.ts';

/** How an administrator comes in and goes out. */
export function addAccess(program: TreeCommand, invocation: Invocation): void {
  const load = () => import('../command/login.ts');
  withPassword(
    program
      .command('init')
      .description('make the first administrator, once, with the code that Nexus shows on its host')
      .option('--user <name>', 'of the first administrator (default: admin)')
      .option('--code-file <file>', 'where the init code is, unless Nexus runs in this home'),
  )
    .option('--print-token', 'print the token and keep none')
    .action(async (flags: InitFlags) => (await import('../command/init.ts')).initialize(invocation, flags))
    .example('spike init', 'asks for a password twice; the session is kept for the commands that follow');
  withPassword(
    program
      .command('login')
      .description('exchange the password of an administrator for a session')
      .option('--user <name>', 'default: whoever was logged in last here, or admin')
      .option('--ttl <duration>', 'how long the session lasts, up to 12h (default: 1h)', parseSeconds)
      .option('--uses <number>', 'how many requests it is good for', parseCount)
      .addOption(new Option('--scope <scope>', 'what it may do').choices(['all', 'read-only'])),
  )
    .option('--new-password-file <file>', 'in place of a one-time password, outside of a terminal')
    .option('--print-token', 'print the token and keep none, for SPIKE_TOKEN')
    .action(async (flags: LoginFlags) => (await load()).login(invocation, flags))
    .example('spike login', 'asks for the password')
    .example(
      'SPIKE_TOKEN=$(spike login --password-file pw --uses 5 --print-token)',
      'for a script, which runs five requests with it',
    );
  program
    .command('logout')
    .description('end the session')
    .option('--all', 'every session of this administrator')
    .action(async (flags: LogoutFlags) => (await load()).logout(invocation, flags));
  program
    .command('password')
    .description('the password of the administrator who is logged in')
    .command('change')
    .description('choose another password; all other sessions of this administrator end')
    .option('--password-stdin', 'the password and the new one from standard input, a line each')
    .option('--password-file <file>', 'the password that there is')
    .option('--new-password-file <file>', 'the new one')
    .action(async (flags: ChangeFlags) =>
      (await import('../command/password.ts')).changePassword(invocation, flags),
    )
    .example('spike password change', 'asks for the old one, then twice for the new one');
}

function withPassword(command: TreeCommand): TreeCommand {
  return command
    .option('--password <value>', 'the password itself: other processes and the history of the shell see it')
    .option('--password-stdin', 'the password from standard input')
    .option('--password-file <file>', 'the password from a file');
}
