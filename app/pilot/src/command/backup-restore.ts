import { SpikeError } from '@spike/error';
import { readIdentities } from '../backup/key.ts';
import { Progress } from '../backup/progress.ts';
import { BackupProblem } from '../backup/problem.ts';
import { Sender, type Report } from '../backup/send.ts';
import { giveShares } from '../backup/share.ts';
import { BackupFile, passOn } from '../backup/source.ts';
import { confirmFinal } from '../input/confirm.ts';
import type { Invocation } from '../invocation.ts';
import type { RestoreBackupFlags } from '../option.ts';
import { formatAge } from '../output/age.ts';
import { show } from '../output/show.ts';
import { toPrintableLine } from '../output/text.ts';
import { openSession, type Session } from '../session.ts';

/** Each part of it takes some seconds at most, and is asked for again until all is done. */
const stepMs = 120_000;
const mostNamed = 20;

/** Brings a backup back: Nexus looks at all of it before anything changes, and tells what would come back to life. */
export async function restoreBackup(
  invocation: Invocation,
  path: string | undefined,
  flags: RestoreBackupFlags,
): Promise<void> {
  if (flags.abort === true) {
    if (path !== undefined) throw new SpikeError('data_invalid_input', '--abort takes no file');
    await abortRestore(invocation, flags);
    return;
  }
  if (path === undefined) throw new SpikeError('data_invalid_input', 'name the file of the backup');
  const { signal } = invocation;
  const identities = await readIdentities(flags.identity);
  await using file = await BackupFile.open(path, identities);
  await using session = await openSession(invocation, 'superuser', { carriesShares: true });
  const sender = new Sender(session, 'restore', (id, needed) =>
    unlock(invocation, session, flags.share, id, needed),
  );
  {
    using progress = new Progress(invocation, 'looking at the backup', file.size);
    await passOn(
      file.read((bytes) => progress.add(bytes), signal),
      sender,
    );
  }
  const { report } = sender;
  if (report.problems.length > 0) throw new BackupProblem(path, report.problems);
  if (!(await isWanted(invocation, report, flags))) {
    await show(invocation, { human: () => 'Nothing was changed.\n', value: { restored: false } });
    return;
  }
  const call = { ...session.call, deadlineMs: stepMs };
  const start = { id: sender.id, replace: flags.replace === true };
  while (!(await session.client.startRestore(start, call)).cleared) signal.throwIfAborted();
  {
    using progress = new Progress(invocation, 'restoring', file.size);
    await passOn(
      file.read((bytes) => progress.add(bytes), signal),
      sender,
    );
  }
  const restored = await session.client.finishRestore({ id: sender.id }, call);
  await show(invocation, {
    human: () =>
      `Restored ${restored.records} records of instance ${restored.instance}. All sessions have ended: log in again.\n` +
      'The backup stays sealed to its recipients, and recovery shares of that instance still open it.\n',
    value: { restored: true, ...restored },
  });
}

async function unlock(
  invocation: Invocation,
  session: Session,
  files: readonly string[],
  id: string,
  needed: number,
): Promise<void> {
  await giveShares(invocation, files, needed, async (share, shard) => {
    const { remaining, repeated } = await session.client.giveBackupShare({ id, share, shard }, session.call);
    if (repeated) invocation.stderr.write(`Shard ${share} was given before.\n`);
    return remaining;
  });
}

/** Says what comes back to life, and asks. */
async function isWanted(invocation: Invocation, report: Report, flags: RestoreBackupFlags): Promise<boolean> {
  const { stderr, settings } = invocation;
  if (settings.format === 'human') stderr.write(formatReport(report));
  return await confirmFinal(
    invocation,
    flags.replace === true
      ? 'Replace all secrets, policies and administrators that are here by these?'
      : 'Bring these back?',
    { yes: flags.yes === true, takesPipe: false },
  );
}

function formatReport(report: Report): string {
  const ageMs = Math.max(0, Date.now() - Date.parse(report.createdAt));
  const disabled = report.administrators.filter((one) => one.disabled);
  const count = (table: string): number => report.rows[table] ?? 0;
  return [
    `The backup is of instance ${toPrintableLine(report.instance)}, ${formatAge(ageMs)} old, and whole: ${report.opened} records opened.`,
    '',
    'What comes back to life:',
    `  secrets          ${count('secret')}, with ${count('secret_version')} versions; those that were deleted or destroyed since, too`,
    `  policies         ${listed(report.policies, count('policy'))}`,
    `  administrators   ${listed(
      report.administrators.map(({ name }) => name),
      count('administrator'),
    )}; with the passwords that they had`,
    ...(disabled.length === 0
      ? []
      : [`    disabled       ${disabled.map(({ name }) => toPrintableLine(name)).join(', ')}`]),
    `  denied IDs       ${listed(report.deniedIds, report.deniedIds.length)}; they are denied again, and those that are denied here stay so`,
    '',
    'Whoever was taken a permission, a password or an account since then has it again. Passwords, policies and',
    'accounts that may have leaked are to be changed right after.',
    '',
    '',
  ].join('\n');
}

function listed(names: readonly string[], count: number): string {
  if (count === 0) return 'none';
  const shown = names.slice(0, mostNamed).map(toPrintableLine);
  return `${count}: ${shown.join(', ')}${count > shown.length ? ', …' : ''}`;
}

async function abortRestore(invocation: Invocation, flags: RestoreBackupFlags): Promise<void> {
  const sure = await confirmFinal(
    invocation,
    'Take the restore back? All secrets and policies that it brought, and those before it, are gone then.',
    { yes: flags.yes === true, takesPipe: false },
  );
  if (!sure) return;
  await using session = await openSession(invocation, 'superuser');
  const call = { ...session.call, deadlineMs: stepMs };
  while (!(await session.client.abortRestore({}, call)).done) invocation.signal.throwIfAborted();
  await show(invocation, {
    human: () => 'The restore was taken back; Nexus holds no secrets and no policies.\n',
    value: { aborted: true },
  });
}
