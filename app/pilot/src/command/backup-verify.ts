import { toSpikeError } from '@spike/error';
import { readIdentities } from '../backup/key.ts';
import { Inspector } from '../backup/offline.ts';
import { Progress } from '../backup/progress.ts';
import { Sender, type Report } from '../backup/send.ts';
import { BackupFile, passOn, type Outline, type Receiver } from '../backup/source.ts';
import type { Invocation } from '../invocation.ts';
import type { VerifyBackupFlags } from '../option.ts';
import { formatAge } from '../output/age.ts';
import { show } from '../output/show.ts';
import { toPrintableLine } from '../output/text.ts';
import { openSession } from '../session.ts';
import { BackupProblem, problemsOf } from '../backup/problem.ts';

/** Why records were not opened, where they were not. */
type Opening = { readonly report: Report } | { readonly missing: string };

const nowhere: Receiver = { start: () => Promise.resolve(), feed: () => Promise.resolve() };

/**
 * Opens the age layer and checks form, counts and hash; then every record, with recovery shares where some are named, else
 * by a running Nexus of the same instance. What could not be done is told, and is a failure where nobody said --offline.
 */
export async function verifyBackup(
  invocation: Invocation,
  path: string,
  flags: VerifyBackupFlags,
): Promise<void> {
  const { signal } = invocation;
  const identities = await readIdentities(flags.identity);
  await using file = await BackupFile.open(path, identities);
  const outline = await read(invocation, file, 'checking the file', nowhere);
  const opening: Opening =
    flags.share.length > 0
      ? await openWithShares(invocation, file, flags.share)
      : flags.offline === true
        ? { missing: 'not asked for' }
        : await openRecords(invocation, file, outline).catch((thrown: unknown) => {
            signal.throwIfAborted();
            const { code, message } = toSpikeError(thrown);
            // What Nexus found in it is no reason of ours to look away.
            if (code === 'data_invalid_input' || code === 'store_integrity') throw thrown;
            return { missing: message };
          });
  const report = 'report' in opening ? opening.report : undefined;
  const problems = report === undefined ? [] : problemsOf(report, outline);
  const ageMs = Math.max(0, Date.now() - outline.header.createdAt);
  await show(invocation, {
    human: () => formatVerified(path, outline, opening, ageMs, problems),
    value: {
      file: path,
      ok: report !== undefined && problems.length === 0,
      digest: outline.digest,
      instance: outline.header.instance,
      createdAt: new Date(outline.header.createdAt).toISOString(),
      ageSeconds: Math.round(ageMs / 1000),
      revision: outline.header.revision,
      recoverable: outline.header.recoverable,
      recovery: { threshold: outline.header.recovery.threshold, shares: outline.header.recovery.count },
      rows: Object.fromEntries(outline.counts.map(({ table, rows }) => [table, rows])),
      ...(report === undefined
        ? { notOpened: 'missing' in opening ? opening.missing : '' }
        : { opened: report.opened, whole: report.whole, behind: report.behind, problems }),
    },
  });
  if (problems.length > 0) throw new BackupProblem(path, problems);
  if (report === undefined && flags.offline !== true) throw new BackupProblem(path, []);
}

async function openWithShares(
  invocation: Invocation,
  file: BackupFile,
  shares: readonly string[],
): Promise<Opening> {
  await using inspector = new Inspector(invocation.signal);
  await inspector.giveShares(shares);
  await read(invocation, file, 'opening every record', inspector);
  return { report: await inspector.report() };
}

async function openRecords(invocation: Invocation, file: BackupFile, outline: Outline): Promise<Opening> {
  await using session = await openSession(invocation, 'superuser');
  const { instance } = await session.client.listBackups({}, session.call);
  if (instance !== outline.header.instance)
    return {
      missing: `it is of instance ${outline.header.instance}, and the Nexus that runs here is ${instance}`,
    };
  const sender = new Sender(session, 'verify');
  await read(invocation, file, 'opening every record', sender);
  return { report: sender.report };
}

async function read(
  invocation: Invocation,
  file: BackupFile,
  what: string,
  receiver: Receiver,
): Promise<Outline> {
  using progress = new Progress(invocation, what, file.size);
  return await passOn(
    file.read((bytes) => progress.add(bytes), invocation.signal),
    receiver,
  );
}

function formatVerified(
  path: string,
  { header, counts, digest }: Outline,
  opening: Opening,
  ageMs: number,
  problems: readonly string[],
): string {
  const { instance, createdAt, revision, release, recoverable, recovery } = header;
  const rows = counts.reduce((sum, count) => sum + count.rows, 0);
  const lines = [
    `${path}: the age layer opens, form, counts and hash are as they were written.`,
    `  instance   ${toPrintableLine(instance)}`,
    `  taken      ${new Date(createdAt).toISOString()}, ${formatAge(ageMs)} ago, by release ${toPrintableLine(release)}`,
    `  holds      ${rows} records as of transaction ${revision} (${counts.map((count) => `${count.rows} ${count.table}`).join(', ')})`,
    `  content    ${digest}`,
    `  to restore ${recovery.threshold} of ${recovery.count} recovery shares of that instance${recoverable ? '' : ', which had given out none when this was taken'}`,
  ];
  if ('missing' in opening) lines.push(`  The records were not opened: ${opening.missing}.`);
  else {
    const { opened, whole, behind } = opening.report;
    lines.push(
      `  ${opened} of ${rows} records opened${whole ? ', and nothing was taken out of it or put in' : ''}.`,
      ...(behind === undefined ? [] : [`  ${behind} transactions were made since.`]),
      ...problems.map((problem) => `  ! ${toPrintableLine(problem)}`),
    );
  }
  return `${lines.join('\n')}\n`;
}
