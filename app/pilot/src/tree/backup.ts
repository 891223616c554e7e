import type { Invocation } from '../invocation.ts';
import type { BackupFlags, RestoreBackupFlags, VerifyBackupFlags } from '../option.ts';
import type { TreeCommand } from './command.ts';
import { collect } from './parse.ts';

export function addBackup(program: TreeCommand, invocation: Invocation): void {
  const group = program.command('backup').description('take, verify and restore sealed backups');
  group
    .command('key')
    .description('make an age identity in a new file (mode 0600), and print its recipient')
    .argument('<file>', 'for the identity, which opens every backup that is sealed to the recipient')
    .action(async (file: string) => (await import('../command/backup.ts')).createKey(invocation, file))
    .example(
      'spike backup key backup.key > backup.pub',
      'with hybrid post-quantum keys, as `age-keygen -pq`',
    );
  group
    .command('create')
    .description('take a consistent backup while the system runs, sealed to age recipients')
    .argument('<file>', 'a new file, written whole with mode 0600; - is standard output')
    .option('-r, --recipient <recipient>', 'whom it is sealed to (age1pq1…); repeatable', collect, [])
    .option('-R, --recipients-file <file>', 'the same, one a line; repeatable', collect, [])
    .option('--without-recovery', 'though no recovery shares were taken out: nobody can restore it then')
    .action(async (file: string, flags: BackupFlags) =>
      (await import('../command/backup.ts')).createBackup(invocation, file, flags),
    )
    .example('spike backup create today.age -R backup.pub', 'into a file')
    .example('spike backup create - -R backup.pub | ssh vault "cat > today.age"', 'to another machine');
  group
    .command('verify')
    .description('open a backup, check it, and have Nexus open every record of it')
    .argument('<file>')
    .option('-i, --identity <file>', 'the age identity that opens it; repeatable', collect, [])
    .option(
      '-s, --share <file>',
      'open the records with recovery shares of its instance, without any Nexus; repeatable',
      collect,
      [],
    )
    .option('--offline', 'without Nexus: the age layer, form, counts and hash alone')
    .action(async (file: string, flags: VerifyBackupFlags) =>
      (await import('../command/backup-verify.ts')).verifyBackup(invocation, file, flags),
    )
    .example('spike backup verify today.age -i backup.key', 'says how old and how complete it is')
    .example(
      'spike backup verify today.age -i backup.key -s spike.recovery.1.txt -s spike.recovery.2.txt',
      'elsewhere',
    );
  group
    .command('list')
    .description('list the backups that Nexus knows of, and those in a directory')
    .argument('[directory]', 'files of age in it are compared with what Nexus knows')
    .action(async (directory: string | undefined) =>
      (await import('../command/backup.ts')).listBackups(invocation, directory),
    )
    .example('spike backup list /mnt/backup', 'which of them lie there');
  group
    .command('restore')
    .description(
      "bring a backup back into the running system, with recovery shares of the backup's instance (files or hidden prompts)",
    )
    .argument('[file]')
    .option('-i, --identity <file>', 'the age identity that opens it; repeatable', collect, [])
    .option('-s, --share <file>', "a recovery share of the backup's instance; repeatable", collect, [])
    .option('--replace', 'also over secrets and policies that are here, which are lost then')
    .option('--abort', 'take a restore back that was begun: the store is empty then')
    .option('-y, --yes', 'do not ask')
    .action(async (file: string | undefined, flags: RestoreBackupFlags) =>
      (await import('../command/backup-restore.ts')).restoreBackup(invocation, file, flags),
    )
    .example(
      'spike backup restore today.age -i backup.key',
      'asks for shares, says what comes back, asks again',
    )
    .example(
      'spike backup restore today.age -i backup.key -s spike.recovery.1.txt -s spike.recovery.2.txt --yes',
      'without questions',
    );
}
