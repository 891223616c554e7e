import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writePrivateFile } from '@spike/config';
import { generateIdentity } from '@spike/backup/age';
import type { NexusTable, OutputOf } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { refuseExisting } from '../backup/destination.ts';
import { readRecipients } from '../backup/key.ts';
import { formatBytes } from '../backup/progress.ts';
import { takeBackup } from '../backup/take.ts';
import type { Invocation } from '../invocation.ts';
import type { BackupFlags } from '../option.ts';
import { show } from '../output/show.ts';
import { toPrintableLine } from '../output/text.ts';
import { openSession } from '../session.ts';

type Listing = OutputOf<NexusTable['listBackups']>;

/** Makes an age identity in a file of its own, and prints its recipient. */
export async function createKey(invocation: Invocation, path: string): Promise<void> {
  await refuseExisting(path);
  const { secret, recipient } = await generateIdentity();
  const made = new Date().toISOString();
  await writePrivateFile(path, `# created: ${made}\n# public key: ${recipient}\n${secret}\n`);
  if (invocation.settings.format === 'human') {
    invocation.stderr.write(
      `The identity is in ${path}: keep it apart from the backups and from the recovery shares, it opens every\n` +
        'backup that is sealed to this recipient. The recipient is no secret:\n',
    );
  }
  await show(invocation, { human: () => `${recipient}\n`, value: { file: path, recipient } });
}

/** Takes a backup and seals it here: Nexus never has the key that opens it. `-` is standard output. */
export async function createBackup(invocation: Invocation, path: string, flags: BackupFlags): Promise<void> {
  const { stdout, stderr, settings } = invocation;
  const recipients = await readRecipients(flags.recipient, flags.recipientsFile);
  const toOutput = path === '-';
  if (toOutput && stdout.isTTY)
    throw new SpikeError(
      'data_invalid_input',
      'a backup is no text for a terminal: name a file, or use a pipe',
    );
  if (!toOutput) await refuseExisting(path);
  await using session = await openSession(invocation, 'superuser');
  const result = await takeBackup(invocation, session, {
    path,
    recipients,
    withoutRecovery: flags.withoutRecovery === true,
  });
  const human = (): string =>
    `${toOutput ? 'The backup' : path}: ${result.rows} records as of transaction ${result.revision}, ${formatBytes(result.bytes)}\n` +
    `  sha256      ${result.sha256}\n` +
    result.recipients.map((recipient) => `  sealed to   ${recipient}\n`).join('') +
    '  What opens it: the identity of a recipient, and to restore it recovery shares of this instance besides.\n' +
    `  Look at it now: spike backup verify ${toOutput ? 'FILE' : path} --identity FILE\n`;
  // Standard output has the backup itself.
  if (!toOutput) await show(invocation, { human, value: result });
  else if (settings.format === 'human') stderr.write(human());
}

/** What Nexus knows of its backups, and which of them lie in a directory. */
export async function listBackups(invocation: Invocation, directory: string | undefined): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const listing = await session.client.listBackups({}, session.call);
  const files = directory === undefined ? undefined : await findFiles(directory, invocation.signal);
  const value = {
    ...listing,
    ...(files === undefined
      ? {}
      : {
          files: files.map((file) => {
            const known = listing.backups.find(({ sha256 }) => sha256 === file.sha256);
            return { ...file, ...(known === undefined ? {} : { digest: known.digest }) };
          }),
        }),
  };
  await show(invocation, { human: () => formatList(listing, files), value, isPaged: true });
}

interface FoundFile {
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
}

const firstLine = 'age-encryption.org/v1\n';

/** Files of age, by their first line. */
async function findFiles(directory: string, signal: AbortSignal): Promise<readonly FoundFile[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    throw new SpikeError('data_invalid_input', `${directory} cannot be read: ${error.code ?? ''}`, {
      cause: error,
    });
  });
  const found: FoundFile[] = [];
  for (const name of names.toSorted()) {
    const file = join(directory, name);
    if (name.startsWith('.') || (await stat(file).catch(() => undefined))?.isFile() !== true) continue;
    const hash = createHash('sha256');
    let start = '';
    let bytes = 0;
    for await (const chunk of createReadStream(file, { signal }) as AsyncIterable<Buffer>) {
      if (start.length < firstLine.length) start += chunk.toString('latin1', 0, firstLine.length);
      if (!firstLine.startsWith(start.slice(0, firstLine.length))) break;
      hash.update(chunk);
      bytes += chunk.length;
    }
    if (start.startsWith(firstLine)) found.push({ file, bytes, sha256: hash.digest('hex') });
  }
  return found;
}

function formatList(
  { backups, recoveryAt, restoring, revision }: Listing,
  files: readonly FoundFile[] | undefined,
): string {
  const lines: string[] = [];
  if (restoring !== undefined)
    lines.push(`A restore is under way since ${restoring.startedAt}, of instance ${restoring.instance}.`);
  if (recoveryAt === undefined)
    lines.push(
      'No recovery shares were taken out yet: nobody could restore a backup. Run `spike operator recover`.',
    );
  if (backups.length === 0) lines.push('No backups were taken of this instance.');
  for (const backup of backups) {
    const where = files
      ?.filter(({ sha256 }) => sha256 === backup.sha256)
      .map(({ file }) => toPrintableLine(file));
    lines.push(
      `${backup.createdAt}  ${formatBytes(backup.bytes)}, ${backup.rows} records, ${revision - backup.revision} transactions ago` +
        `${backup.by === '' ? '' : `, by ${toPrintableLine(backup.by)}`}`,
      `  sha256     ${backup.sha256}`,
      `  sealed to  ${backup.recipients.map(toPrintableLine).join(', ')}`,
      `  ${backup.verifiedAt === undefined ? 'never verified' : `verified ${backup.verifiedAt}`}`,
      ...(where ?? []).map((file) => `  file       ${file}`),
    );
  }
  for (const { file, bytes, sha256 } of files ?? []) {
    if (!backups.some((backup) => backup.sha256 === sha256))
      lines.push(`${toPrintableLine(file)}  ${formatBytes(bytes)}, not noted by this instance`);
  }
  return `${lines.join('\n')}\n`;
}
