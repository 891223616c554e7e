import type { Invocation } from '../invocation.ts';
import type { ResetFlags, VerifyResetFlags } from '../option.ts';
import type { TreeCommand } from './command.ts';
import { collect } from './parse.ts';

export function addReset(program: TreeCommand, invocation: Invocation): void {
  const group = program
    .command('reset')
    .description('explain a factory reset, or print the script of one (it is never run here)');
  const load = () => import('../command/reset.ts');
  group
    // `spike reset --force` is this one.
    .command('print', { isDefault: true })
    .description(
      'say what a factory reset would lose and exit with 1; with --force print its script and run nothing',
    )
    .option('--force', 'print the script to standard output')
    .option(
      '--dry-run',
      'try a script on this host, the one of Nexus: everything is checked, nothing is changed',
    )
    .option(
      '--backup <file>',
      'take a backup into this file first, or use the one of the last hour; the script wants it to be there',
    )
    .option(
      '-i, --identity <file>',
      'the age identity that opens the backup, to prove that it will open; repeatable',
      collect,
      [],
    )
    .option(
      '-r, --recipient <recipient>',
      'whom a new backup is sealed to, the recipient of the identity if not given; repeatable',
      collect,
      [],
    )
    .option('-R, --recipients-file <file>', 'the same, one a line; repeatable', collect, [])
    .action(async (flags: ResetFlags) => (await load()).resetSystem(invocation, flags))
    .example('spike reset', 'what would be lost')
    .example('spike reset --dry-run', 'every now and then, while everything runs: would a reset work?')
    .example(
      '(umask 077; spike reset --force > reset.sh)',
      'the script, which nobody else may write; then read it, and run: sh reset.sh --dry-run',
    )
    .example(
      '(umask 077; spike reset --force --backup /safe/spike.age --identity key.txt > reset.sh)',
      'with a backup; when the holders of recovery shares have approved, the same again prints the script',
    );
  group
    .command('verify')
    .description('check that this system signed a reset script, and that nobody changed it since')
    .argument('<file>', 'the script')
    .option('--key <file>', 'a public key that was pinned, instead of the keys that Nexus tells')
    .action(async (file: string, flags: VerifyResetFlags) =>
      (await load()).verifyReset(invocation, file, flags),
    )
    .example('spike reset verify reset.sh --key reset.pem', 'also where no SPIKE runs');
  group
    .command('key')
    .description('print the public key of reset scripts, to be pinned')
    .action(async () => (await load()).showResetKey(invocation))
    .example('spike reset key > reset.pem', 'keep it elsewhere');
}
