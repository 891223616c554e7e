import type { Command } from 'commander';
import type { Invocation } from './invocation.ts';
import { addSettings, readSettings } from './setting.ts';
import { addAlert } from './tree/alert.ts';
import { addAudit } from './tree/audit.ts';
import { addApproval } from './tree/approval.ts';
import { addAuthority } from './tree/authority.ts';
import { addBackup } from './tree/backup.ts';
import { addBreakglass } from './tree/breakglass.ts';
import { leavesOf, pathOf, TreeCommand } from './tree/command.ts';
import { addDenial } from './tree/denial.ts';
import { addCipher } from './tree/cipher.ts';
import { addOperator } from './tree/operator.ts';
import { addPolicy } from './tree/policy.ts';
import { addAccess } from './tree/access.ts';
import { addAdministrator } from './tree/administrator.ts';
import { addReset } from './tree/reset.ts';
import { addSecret } from './tree/secret.ts';
import { addSystem } from './tree/system.ts';
import { addToken } from './tree/token.ts';

/** All commands, in the order of the help. What a command does is loaded when it runs. */
const groups = [
  addAccess,
  addSecret,
  addPolicy,
  addCipher,
  addToken,
  addAdministrator,
  addApproval,
  addBreakglass,
  addDenial,
  addOperator,
  addBackup,
  addAudit,
  addAlert,
  addReset,
  addAuthority,
  addSystem,
];

/** What these take belongs to another program, or is no matter of the settings. */
const withoutSettings = ['dev', 'authority serve', 'authority run', 'completion', '__complete'];
/** They have a help of their own. */
const withoutHelp = ['dev', 'authority serve', '__complete'];

/**
 * The tree of commands: names, positions and flags, which are those of the Go command where it has them. It needs
 * neither an agent nor the modules that do the work, so that help and completion take no time.
 */
export function createProgram(invocation: Invocation): TreeCommand {
  const isForPeople = invocation.settings.format === 'human';
  const program = new TreeCommand('spike')
    .description('Stores and reads secrets by SPIFFE identity, and looks after the system that keeps them.')
    .version(invocation.version, '--version', 'print the version')
    .showHelpAfterError('Run it with --help to see how it is used.')
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void invocation.stdout.write(text),
      // A program is told in the form that it asked for, when everything is known.
      writeErr: (text) => void (isForPeople && invocation.stderr.write(text)),
    });
  for (const add of groups) add(program, invocation);
  inheritSettings(program);
  addSettings(program);
  for (const leaf of leavesOf(program)) {
    const name = pathOf(leaf).join(' ');
    if (!withoutSettings.includes(name)) addSettings(leaf);
    // Copied settings would bring it back, so it is taken away last.
    if (withoutHelp.includes(name)) leaf.helpOption(false);
  }
  program.hook('preAction', async (_, command) => {
    // The format was guessed for errors in the arguments; now it is known, and may have been none (`cipher -f json`).
    Object.assign(invocation.settings, { format: 'human' }, readSettings(command));
    const { timeoutMs, tokenStdin } = invocation.settings;
    if (timeoutMs !== undefined) invocation.deadline.start(timeoutMs);
    // Before the command reads its own input, which comes behind it.
    if (tokenStdin)
      invocation.givenToken = await (await import('./access/given-token.ts')).readTokenLine(invocation);
  });
  return program;
}

function inheritSettings(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inheritSettings(child);
  }
}
