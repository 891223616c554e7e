import type { NexusTable, OutputOf } from '@spike/contract';
import { confirm } from '../input/confirm.ts';
import type { Invocation } from '../invocation.ts';
import type { DenyFlags, LiftFlags } from '../option.ts';
import type { Paint } from '../output/color.ts';
import { show, showDone } from '../output/show.ts';
import { toPrintableLine } from '../output/text.ts';
import { openSession, type Session } from '../session.ts';

type Denial = OutputOf<NexusTable['listDenials']>['denials'][number];

export async function denyIdentity(
  invocation: Invocation,
  spiffeId: string,
  { reason, until, yes }: DenyFlags,
): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const question = `Refuse every request of ${sayWhom(spiffeId)}, and cut the connections?`;
  if (!(await isMeant(invocation, question, yes))) return await cancel(invocation, spiffeId);
  const { denial, cut } = await session.client.denyIdentity({ spiffeId, reason, ...until }, session.call);
  const connections = cut === 1 ? '1 connection was' : `${cut} connections were`;
  await showDone(
    invocation,
    `${capitalize(sayWhom(denial.spiffeId))} is denied ${sayEnd(denial)}; ${connections} cut.`,
    { denial, cut },
  );
}

export async function listDenials(invocation: Invocation): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { denials } = await session.client.listDenials({}, session.call);
  await show(invocation, {
    human: (paint) =>
      denials.length === 0
        ? 'Nobody is denied.\n'
        : denials.map((denial) => describe(denial, paint)).join('\n'),
    value: denials,
    isPaged: true,
  });
}

export async function liftDenial(
  invocation: Invocation,
  spiffeId: string,
  { yes }: LiftFlags,
): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const question = `Serve ${sayWhom(spiffeId)} again, as policies say?`;
  if (!(await isMeant(invocation, question, yes))) return await cancel(invocation, spiffeId);
  const { denial, coveredBy } = await session.client.liftDenial({ spiffeId }, session.call);
  const still = coveredBy === undefined ? '' : ` It is denied still, by ${toPrintableLine(coveredBy)}.`;
  await showDone(invocation, `The denial of ${sayWhom(denial.spiffeId)} is lifted.${still}`, {
    denial,
    ...(coveredBy === undefined ? {} : { coveredBy }),
  });
}

/** For the completion. */
export async function readDenied(session: Session): Promise<readonly string[]> {
  const { denials } = await session.client.listDenials({}, session.call);
  return denials.map(({ spiffeId }) => spiffeId);
}

/** It can be taken back, so a script need not say that it means it. */
async function isMeant(invocation: Invocation, question: string, yes: true | undefined): Promise<boolean> {
  return yes === true || !invocation.stdin.isTTY || (await confirm(invocation, question));
}

async function cancel(invocation: Invocation, spiffeId: string): Promise<void> {
  await showDone(invocation, 'Operation canceled.', { spiffeId, canceled: true });
}

function describe(denial: Denial, paint: Paint): string {
  const { spiffeId, reason, by, since } = denial;
  return (
    `${paint('bold', toPrintableLine(spiffeId))}  ${sayEnd(denial)}\n` +
    `  reason  ${toPrintableLine(reason)}\n` +
    `  by      ${toPrintableLine(by)}, since ${since}\n`
  );
}

function sayWhom(spiffeId: string): string {
  const text = toPrintableLine(spiffeId);
  return text.endsWith('/*') ? `everybody below ${text.slice(0, -1)}` : text;
}

function sayEnd({ until }: Denial): string {
  return until === undefined ? 'until it is lifted' : `until ${until}`;
}

function capitalize(text: string): string {
  return text.startsWith('everybody') ? `E${text.slice(1)}` : text;
}
