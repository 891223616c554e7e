import type { NexusTable, OutputOf } from '@spike/contract';
import type { Invocation } from '../invocation.ts';
import type { OpenFlags } from '../option.ts';
import type { Paint } from '../output/color.ts';
import { show, showDone } from '../output/show.ts';
import { toPrintableLine } from '../output/text.ts';
import { openSession } from '../session.ts';

type Report = OutputOf<NexusTable['reportBreakglass']>;
type Breakglass = Report['breakglass'];

export async function openBreakglass(
  invocation: Invocation,
  { reason, ttl = 3_600 }: OpenFlags,
): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { breakglass } = await session.client.openBreakglass({ reason, ttlSeconds: ttl }, session.call);
  await showDone(
    invocation,
    `It waits: another super_admin opens it with \`spike breakglass approve ${breakglass.id}\`; ` +
      `else it opens by itself at ${breakglass.effectiveAt}, unless it is cancelled before.`,
    breakglass,
  );
}

export async function approveBreakglass(invocation: Invocation, id: string): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { breakglass } = await session.client.approveBreakglass({ id }, session.call);
  await showDone(
    invocation,
    `It is open for ${breakglass.administrator} until ${breakglass.expiresAt}.`,
    breakglass,
  );
}

export async function cancelBreakglass(invocation: Invocation, id: string): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { breakglass } = await session.client.cancelBreakglass({ id }, session.call);
  await showDone(invocation, `The break-glass of ${breakglass.administrator} is cancelled.`, breakglass);
}

export async function closeBreakglass(invocation: Invocation): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { breakglass } = await session.client.closeBreakglass({}, session.call);
  await showDone(invocation, 'Your break-glass is closed.', breakglass);
}

export async function listBreakglasses(invocation: Invocation): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { breakglasses } = await session.client.listBreakglasses({}, session.call);
  await show(invocation, {
    human: (paint) =>
      breakglasses.length === 0
        ? 'There are no break-glasses.\n'
        : breakglasses.map((one) => describe(one, paint)).join('\n'),
    value: breakglasses,
    isPaged: true,
  });
}

/** All pages of it. */
export async function reportBreakglass(invocation: Invocation, id: string | undefined): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const records: unknown[] = [];
  let page: Report;
  let wanted: { id?: string; from?: number } = id === undefined ? {} : { id };
  do {
    page = await session.client.reportBreakglass(wanted, session.call);
    for (const line of page.lines) records.push(JSON.parse(line));
    wanted = { id: page.breakglass.id, ...(page.next === undefined ? {} : { from: page.next }) };
  } while (page.next !== undefined);
  const { breakglass } = page;
  await show(invocation, {
    human: (paint) =>
      `${describe(breakglass, paint)}\n` +
      (records.length === 0 ? 'Nothing was done in it.\n' : `${records.map(toLine).join('\n')}\n`),
    value: { breakglass, records },
    isPaged: true,
  });
}

/** When, what, where and how it went. */
function toLine(record: unknown): string {
  const text = (name: string): string => {
    const found: unknown = typeof record === 'object' && record !== null ? Reflect.get(record, name) : '';
    return typeof found === 'string' ? toPrintableLine(found) : '';
  };
  const about = text('path') || text('subject');
  const code = text('code') === '' ? '' : ` ${text('code')}`;
  return `${text('time')}  ${text('outcome')}${code}  ${text('action')}${about === '' ? '' : `  ${about}`}`;
}

function describe(one: Breakglass, paint: Paint): string {
  const { id, administrator, reason, state, openedAt, effectiveAt, expiresAt } = one;
  const approved = one.approvedBy === undefined ? '' : `, approved by ${one.approvedBy}`;
  const ended =
    one.endedBy === undefined ? '' : `  ended     ${one.endedAt ?? ''} by ${toPrintableLine(one.endedBy)}\n`;
  return (
    `${paint('bold', administrator)}  ${state}: ${toPrintableLine(reason)}\n` +
    `  asked     ${openedAt}\n` +
    `  open      ${effectiveAt} to ${expiresAt}${approved}\n${ended}` +
    `  id        ${id}\n`
  );
}
