import { open } from 'node:fs/promises';
import { constants } from 'node:fs';
import { SpikeError } from '@spike/error';

/** First line of a journal, by which the script knows that it is one. */
const headLine = '# SPIKE reset journal: time, script, instance, user, host, step, detail';
const mostBytes = 4 * 1024 * 1024;

/** One step of a reset, as Nexus or the script wrote it. */
export interface ResetStep {
  readonly time: Date;
  readonly script: string;
  readonly instance: string;
  readonly user: string;
  readonly host: string;
  readonly step: string;
  readonly detail: string;
}

/** The steps that a journal tells of, oldest first. A line that a full disk has cut off is left out. */
export function parseJournal(text: string): readonly ResetStep[] {
  return text.split('\n').flatMap((line) => {
    const [at = '', script, instance, user, host, step, detail, ...rest] = line.split('\t');
    const time = new Date(at);
    if (script === undefined || instance === undefined || user === undefined || host === undefined) return [];
    if (step === undefined || detail === undefined || rest.length > 0 || Number.isNaN(time.getTime()))
      return [];
    return [{ time, script, instance, user, host, step, detail }];
  });
}

/** When a dry run of this instance last passed: `spike status` shows its age. */
export function lastDryRun(steps: readonly ResetStep[], instance: string): Date | undefined {
  return steps.findLast((step) => step.step === 'dry-run-passed' && step.instance === instance)?.time;
}

/** Steps of the journal at this path; none where there is no file. Throws `fs_unsafe` for what is no journal of ours. */
export async function readJournal(path: string): Promise<readonly ResetStep[]> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const { size } = await file.stat();
    if (size > mostBytes) throw notAJournal(path);
    return parseJournal(await file.readFile('utf8'));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    if (codeOf(error) === 'ELOOP') throw notAJournal(path);
    throw error;
  }
}

/** Appends one step, and makes the journal (0600) where there is none; on the disk when it resolves. Throws `fs_unsafe`. */
export async function appendStep(path: string, step: ResetStep): Promise<void> {
  const flags = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
  await using file = await open(path, flags | constants.O_NONBLOCK, 0o600).catch((error: unknown) => {
    if (codeOf(error) === 'ELOOP') throw notAJournal(path);
    throw error;
  });
  const stat = await file.stat();
  if (!stat.isFile()) throw notAJournal(path);
  const { time, script, instance, user, host, step: name, detail } = step;
  const fields = [time.toISOString(), script, instance, user, host, name, detail];
  const line = `${fields.map(toField).join('\t')}\n`;
  const first = Buffer.alloc(headLine.length + 1);
  const last = Buffer.alloc(1);
  if (stat.size > 0) {
    await file.read(first, 0, first.length, 0);
    if (first.toString('latin1') !== `${headLine}\n`) throw notAJournal(path);
    await file.read(last, 0, 1, stat.size - 1);
  }
  const before = stat.size === 0 ? `${headLine}\n` : last[0] === 10 ? '' : '\n';
  await file.appendFile(before + line);
  await file.sync();
}

/** A tab or the end of a line within a field would make another line of it. */
function toField(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replaceAll(/[\u0000-\u001f\u007f]/g, ' ');
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function notAJournal(path: string): SpikeError {
  return new SpikeError('fs_unsafe', `${path} is not a reset journal of ours: move it away`);
}
