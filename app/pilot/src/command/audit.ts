import { setTimeout as delay } from 'node:timers/promises';
import { SpikeError } from '@spike/error';
import { describeLine, parseLine } from '../audit/line.ts';
import { pinAuditKey, readTrust } from '../audit/trust.ts';
import { witnessAudit, type Witness } from '../audit/witness.ts';
import type { Invocation } from '../invocation.ts';
import type { AuditKeyFlags, CheckpointFlags, ReviewFlags, SearchFlags, TailFlags } from '../option.ts';
import { paintFor } from '../output/color.ts';
import { writeResult } from '../output/file.ts';
import { show, showDone } from '../output/show.ts';
import { openSession, type Session } from '../session.ts';

/** Between two looks of `tail --follow`. Each look is a line of the audit itself, which is not shown. */
const followMs = 1_000;
const pageLines = 1_000;

export async function tailAudit(invocation: Invocation, flags: TailFlags): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  await warnUnlessSeen(invocation, session);
  const { lines, next } = await session.client.tailAudit({ limit: flags.lines }, session.call);
  if (flags.follow !== true) {
    await showLines(invocation, lines);
    return;
  }
  write(invocation, lines);
  for (let after = next; ;) {
    await delay(followMs, undefined, { signal: invocation.signal });
    const page = await session.client.tailAudit({ after, limit: pageLines }, session.call);
    write(
      invocation,
      page.lines.filter((line) => !isOwnLook(line, session)),
    );
    after = page.next;
  }
}

export async function searchAudit(invocation: Invocation, flags: SearchFlags): Promise<void> {
  const { most, since, until, from, ...filter } = flags;
  await using session = await openSession(invocation, 'superuser');
  await warnUnlessSeen(invocation, session);
  const lines: string[] = [];
  let next: number | undefined = from;
  do {
    const page: { readonly lines: readonly string[]; readonly next?: number | undefined } =
      await session.client.searchAudit(
        {
          ...filter,
          from: next,
          limit: Math.min(most - lines.length, pageLines),
          ...(since === undefined ? {} : { since: since.toISOString() }),
          ...(until === undefined ? {} : { until: until.toISOString() }),
        },
        session.call,
      );
    lines.push(...page.lines);
    next = page.next;
  } while (next !== undefined && lines.length < most);
  await showLines(invocation, lines);
  if (next !== undefined && invocation.settings.format === 'human')
    invocation.stderr.write(`There may be more: go on with --from ${next}\n`);
}

export async function takeCheckpoint(invocation: Invocation, flags: CheckpointFlags): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const witness = await warnUnlessSeen(invocation, session);
  const note =
    witness.state === 'seen'
      ? witness.checkpoint.note
      : (await session.client.checkpointAudit({}, session.call)).checkpoint;
  await writeResult(invocation, flags.out, note);
}

export async function showAuditKey(
  invocation: Invocation,
  given: string | undefined,
  flags: AuditKeyFlags,
): Promise<void> {
  const options = { replace: flags.replace === true };
  if (given !== undefined) {
    if (flags.pin !== true)
      throw new SpikeError('data_invalid_input', 'a key is given to be pinned: add --pin');
    const key = await pinAuditKey(invocation, given, options);
    await showDone(invocation, `The key of the audit ${key.name} is pinned`, {
      key: key.toString(),
      pinned: true,
    });
    return;
  }
  await using session = await openSession(invocation, 'superuser');
  const { key } = await session.client.auditKey({}, session.call);
  if (flags.pin === true) await pinAuditKey(invocation, key, options);
  const known = [...(await readTrust(invocation)).values()].some((log) => log.key === key);
  await show(invocation, { human: () => `${key}\n`, value: { key, pinned: known } });
  if (invocation.settings.format !== 'human') return;
  const says = known
    ? 'It is the one that is pinned here.'
    : 'It is not pinned here: compare it with what whoever ran spike init was told, then pin it with --pin.';
  invocation.stderr.write(`${says}\n`);
}

/** The witness before knows the key of now, the one behind follows to the next: this person is never asked to believe it. */
export async function rotateAuditKey(invocation: Invocation): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  await warnUnlessSeen(invocation, session);
  const { key, previous, announced } = await session.client.rotateAuditKey({}, session.call);
  const witness = announced ? await warnUnlessSeen(invocation, session) : undefined;
  const pinned = witness?.state === 'seen' && witness.key.toString() === key;
  await show(invocation, {
    human: () => `${key}\n`,
    value: { key, previous, announced, pinned },
  });
  if (invocation.settings.format !== 'human') return;
  const says = announced
    ? `The key of before announced it in the audit${pinned ? ', and it is pinned here' : ''}: whoever pinned that one follows at the next use.`
    : 'It is not announced yet: no checkpoint could be written. Look at spike status; it is done with the next one.';
  invocation.stderr.write(`${says}\n`);
}

interface Row {
  readonly spiffeId: string;
  readonly administrator?: string | undefined;
  readonly action: string;
  readonly path?: string | undefined;
  readonly outcome: string;
  count: number;
  lastTime: string;
}

export async function reviewAudit(invocation: Invocation, flags: ReviewFlags): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  await warnUnlessSeen(invocation, session);
  const rows = new Map<string, Row>();
  const first = await session.client.reviewAudit(
    flags.from === undefined ? {} : { from: flags.from },
    session.call,
  );
  let page = first;
  merge(rows, page.rows);
  while (page.next !== undefined) {
    page = await session.client.reviewAudit({ from: page.next }, session.call);
    merge(rows, page.rows);
  }
  const { to } = page;
  const sorted = [...rows.values()].toSorted((a, b) => b.count - a.count);
  if (flags.done === true) await session.client.finishReview({ to }, session.call);
  await show(invocation, {
    human: (paint) => {
      const last = first.last;
      const since =
        last === undefined
          ? 'the beginning'
          : `the review of ${last.administrator || 'somebody'} on ${last.time}`;
      const lines = sorted.map(({ count, spiffeId, administrator, action, path, outcome, lastTime }) => {
        const who = administrator === undefined ? spiffeId : `${administrator} (${spiffeId})`;
        const how = outcome === 'ok' ? outcome : paint('red', outcome);
        return `${String(count).padStart(7)}  ${how}  ${action}  ${path ?? ''}  ${who}  last ${lastTime}`;
      });
      const done =
        flags.done === true
          ? `Noted as reviewed up to line ${to}.`
          : `When you have looked at it: spike audit review --done`;
      return `Since ${since} (lines ${first.from} to ${to}):\n${lines.join('\n')}${lines.length === 0 ? 'nobody read anything' : ''}\n${done}\n`;
    },
    value: { from: first.from, to, last: first.last ?? null, done: flags.done === true, rows: sorted },
    isPaged: true,
  });
}

/** Tells on standard error when the audit is not what this person saw before. */
export async function warnUnlessSeen(invocation: Invocation, session: Session): Promise<Witness> {
  const witness = await witnessAudit(invocation, session);
  if (witness.state === 'broken') {
    invocation.stderr.write(
      `${paintFor(invocation.stderr, invocation)('red', 'THE AUDIT:')} ${witness.message}\n`,
    );
    process.exitCode = 1;
  }
  return witness;
}

async function showLines(invocation: Invocation, lines: readonly string[]): Promise<void> {
  await show(invocation, {
    human: (paint) => lines.map((line) => describeLine(line, paint)).join(''),
    value: lines.map(parseLine),
    isPaged: true,
  });
}

/** As they come: for a program, each is a text of its own. */
function write(invocation: Invocation, lines: readonly string[]): void {
  const paint = paintFor(invocation.stdout, invocation);
  const isForPeople = invocation.settings.format === 'human';
  for (const line of lines) invocation.stdout.write(isForPeople ? describeLine(line, paint) : `${line}\n`);
}

function isOwnLook(line: string, session: Session): boolean {
  const { action, spiffeId } = parseLine(line);
  return action === 'audit.tail' && spiffeId === session.id;
}

function merge(rows: Map<string, Row>, page: readonly Row[]): void {
  for (const row of page) {
    const { spiffeId, administrator, action, path, outcome } = row;
    const key = JSON.stringify([spiffeId, administrator, action, path, outcome]);
    const found = rows.get(key);
    if (found === undefined) {
      rows.set(key, { ...row });
    } else {
      found.count += row.count;
      if (row.lastTime > found.lastTime) found.lastTime = row.lastTime;
    }
  }
}
