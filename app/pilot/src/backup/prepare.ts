import { createHash, type Hash } from 'node:crypto';
import { lstat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { recipientOf, type Recipient } from '@spike/backup/age';
import { SpikeError } from '@spike/error';
import type { Invocation } from '../invocation.ts';
import { formatAge } from '../output/age.ts';
import { toPrintableLine } from '../output/text.ts';
import { readIdentities, readRecipients } from './key.ts';
import { BackupProblem, problemsOf } from './problem.ts';
import { formatBytes, Progress } from './progress.ts';
import { Sender, type SendCalls } from './send.ts';
import { BackupFile, passOn, type Outline } from './source.ts';
import { takeBackup, type TakeCalls } from './take.ts';

export interface WantedBackup {
  readonly file: string;
  /** Files of age identities, one of which has to open it. */
  readonly identity: readonly string[];
  /** Whom a new one is sealed to; the identities' own recipients when neither names any. */
  readonly recipient: readonly string[];
  readonly recipientsFile: readonly string[];
  readonly instance: string;
}

/** A backup as it lies in its file, and what a reset script checks of it. */
export interface BackupFacts {
  /** Absolute. */
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  readonly createdAt: string;
}

/** As long as a reset script is valid. */
const freshMs = 3_600_000;

/**
 * A fresh backup in this file: the one that is there when it is of this instance and of the last hour, else a new one.
 * Nothing that is there is ever replaced: it may be the only backup that opens. Before this resolves the identity opened
 * the file as it lies on its disk, and Nexus every record of it. Throws `entity_version_conflict`, `data_invalid_input`
 * and BackupProblem.
 */
export async function prepareBackup(
  invocation: Invocation,
  session: TakeCalls & SendCalls,
  wanted: WantedBackup,
): Promise<BackupFacts> {
  const path = resolve(wanted.file);
  const identities = await readIdentities(wanted.identity);
  const isNew = (await lstat(path).catch(ignoreMissing)) === undefined;
  if (isNew) {
    const recipients = await chooseRecipients(wanted, identities);
    await takeBackup(invocation, session, { path, recipients, withoutRecovery: false });
  }
  await using file = await BackupFile.open(path, identities);
  const sender = new Sender(session, 'verify');
  // What the script asks for is what was opened, whatever is done with the file meanwhile.
  const hash = createHash('sha256');
  const outline = await verify(invocation, file, sender, hash, (found) =>
    assertFresh(path, found, wanted.instance),
  );
  const problems = problemsOf(sender.report, outline);
  const { behind = 0 } = sender.report;
  if (problems.length > 0) throw new BackupProblem(path, problems);
  const createdAt = new Date(outline.header.createdAt).toISOString();
  if (invocation.settings.format === 'human')
    invocation.stderr.write(
      `${isNew ? 'The backup' : 'The backup that was there'}, ${toPrintableLine(path)} (${formatBytes(file.size)}, taken ${createdAt}), opens as a whole.\n` +
        (isNew || behind === 0
          ? ''
          : `${behind} transactions were made since, of which it has nothing: for a newer one name another file.\n`),
    );
  return { path, size: file.size, sha256: hash.digest('hex'), createdAt };
}

async function verify(
  invocation: Invocation,
  file: BackupFile,
  sender: Sender,
  hash: Hash,
  look: (header: Outline['header']) => void,
): Promise<Outline> {
  using progress = new Progress(invocation, 'opening every record', file.size);
  const plaintext = file.read((count, bytes) => {
    progress.add(count);
    hash.update(bytes);
  }, invocation.signal);
  return await passOn(plaintext, {
    start: async (bytes, header) => {
      // Nexus would say less clearly that it is of another instance.
      look(header);
      await sender.start(bytes);
    },
    feed: (bytes, offset) => sender.feed(bytes, offset),
  });
}

/** It has to open afterwards, so one of the identities is among those that it is sealed to. */
async function chooseRecipients(
  { recipient, recipientsFile }: WantedBackup,
  identities: readonly string[],
): Promise<readonly Recipient[]> {
  const own = await Promise.all(identities.map(recipientOf));
  if (recipient.length + recipientsFile.length === 0) return own;
  const named = await readRecipients(recipient, recipientsFile);
  if (named.some(({ text }) => own.some((one) => one.text === text))) return named;
  throw new SpikeError(
    'data_invalid_input',
    'the backup would not be sealed to the identity that has to open it: name the recipient of that one, too',
  );
}

function assertFresh(path: string, { instance, createdAt }: Outline['header'], wanted: string): void {
  const another = 'name another file, or move it away';
  if (instance !== wanted)
    throw new SpikeError(
      'entity_version_conflict',
      `${path} is a backup of instance ${toPrintableLine(instance)}, and not of ${wanted}: ${another}`,
    );
  const ageMs = Date.now() - createdAt;
  // Two clocks may differ; one of them that is an hour late is to be looked at.
  if (Math.abs(ageMs) <= freshMs) return;
  throw new SpikeError(
    'entity_version_conflict',
    ageMs > 0
      ? `${path} is a backup that was taken ${formatAge(ageMs)} ago, and one of the last hour is needed: ${another}`
      : `${path} is a backup of ${new Date(createdAt).toISOString()}, which is to come: ${another}`,
  );
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw new SpikeError(
    'data_invalid_input',
    `the place of the backup cannot be looked at: ${error.code ?? ''}`,
    {
      cause: error,
    },
  );
}
