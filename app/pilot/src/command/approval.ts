import type { NexusTable, OutputOf } from '@spike/contract';
import { answerChallenge, Share } from '@spike/crypto';
import { SpikeError } from '@spike/error';
import { parseShare } from '@spike/recovery';
import { confirm } from '../input/confirm.ts';
import { readSmallFile } from '../input/file.ts';
import { promptHidden, readPiped } from '../input/hidden.ts';
import type { Invocation } from '../invocation.ts';
import type { ShareFlags } from '../option.ts';
import type { Paint } from '../output/color.ts';
import { show, showDone } from '../output/show.ts';
import { toPrintableLine } from '../output/text.ts';
import { openSession, type Session } from '../session.ts';

type Asked = OutputOf<NexusTable['getApproval']>;
type Approval = Asked['approval'];

const mostShareBytes = 4096;

/** Shows what is asked, and answers for exactly that with a share, of which nothing is sent. */
export async function answerApproval(
  invocation: Invocation,
  named: string,
  flags: ShareFlags,
): Promise<void> {
  await using session = await openSession(invocation, 'recover');
  const id = flags.of === undefined ? named : await findApproval(session, named, flags.of);
  const asked = await session.client.getApproval({ id }, session.call);
  const { stderr, stdin } = invocation;
  // Where a program reads the answer, a person may sit at the terminal all the same.
  stderr.write(describe(asked.approval, (_, text) => text));
  // Whoever types a share has read what it is for; a file is there before that.
  const isAsked = stdin.isTTY && flags.shareFile !== undefined && flags.yes !== true;
  if (isAsked && !(await confirm(invocation, 'Do you approve this?'))) throw nothingApproved();
  using share = await readShare(invocation, flags);
  const answer = answerWith(share, asked);
  const { approval, repeated } = await session.client.answerApproval(
    { id, share: share.id, answer },
    session.call,
  );
  const missing = approval.threshold - approval.answered.length;
  const done =
    approval.state === 'approved'
      ? `It is approved, and good once until ${approval.expiresAt}.`
      : `${missing} more ${missing === 1 ? 'share has' : 'shares have'} to answer until ${approval.expiresAt}.`;
  const before = repeated ? `Share ${share.id} had answered before. ` : '';
  await showDone(invocation, `${before}${done}`, { approval, repeated });
}

export async function listApprovals(invocation: Invocation): Promise<void> {
  await using session = await openSession(invocation, 'approver', { administrator: 'wanted' });
  const found = await session.client.listApprovals({}, session.call);
  const { approvals, recoveries } = found;
  await show(invocation, {
    human: (paint) =>
      [
        ...(approvals.length === 0 ? ['Nothing waits for holders of recovery shares.\n'] : []),
        ...approvals.map((one) => describe(one, paint)),
        ...recoveries.map(
          ({ spiffeId, by, expiresAt }) =>
            `${toPrintableLine(spiffeId)} may take the recovery shares out until ${expiresAt}; ${by} opened it\n`,
        ),
      ].join('\n'),
    value: found,
    isPaged: true,
  });
}

export async function openRecovery(invocation: Invocation, spiffeId: string): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const pass = await session.client.openRecovery({ spiffeId }, session.call);
  await showDone(
    invocation,
    `${toPrintableLine(pass.spiffeId)} may run \`spike operator recover\` once, until ${pass.expiresAt}.`,
    pass,
  );
}

/** The one that is of this kind and about this. Throws SpikeError `api_not_found`, and `data_invalid_input` for several. */
async function findApproval(session: Session, kind: string, target: string): Promise<string> {
  const { approvals } = await session.client.listApprovals({}, session.call);
  const [found, ...others] = approvals.filter((one) => one.kind === kind && one.target === target);
  if (found === undefined)
    throw new SpikeError('api_not_found', 'nothing of this kind and about this waits (spike approve list)');
  if (others.length === 0) return found.id;
  const ids = [found, ...others].map(({ id, by }) => `${id} of ${by}`).join(', ');
  throw new SpikeError('data_invalid_input', `several ask for this, so name one by its id: ${ids}`);
}

/** From a file, a hidden prompt or standard input. */
async function readShare(
  { stdin, stderr, deadline, signal }: Invocation,
  { shareFile }: ShareFlags,
): Promise<Share> {
  const text = await readText();
  if (text === '' && stdin.isTTY) throw nothingApproved();
  const { id, value } = parseShare(text);
  const bytes = Uint8Array.from(value);
  return Share.take(id, bytes);

  async function readText(): Promise<string> {
    if (shareFile === undefined)
      return await deadline.pauseFor(() =>
        stdin.isTTY
          ? promptHidden(
              'Your recovery share, to approve this (nothing, to leave it): ',
              stdin,
              stderr,
              signal,
            )
          : readPiped(stdin, mostShareBytes),
      );
    const file = await readSmallFile(shareFile, mostShareBytes);
    try {
      return Buffer.from(file).toString('utf8');
    } finally {
      file.fill(0);
    }
  }
}

function nothingApproved(): SpikeError {
  return new SpikeError('data_invalid_input', 'nothing was approved');
}

/** Of what was shown: should Nexus mean something else by this approval, the answer is wrong. */
function answerWith(share: Share, { approval, challenge }: Asked): Uint8Array {
  const { id, kind, target, by } = approval;
  const { instance, generation, expiresAt, nonce } = challenge;
  return answerChallenge(share, generation, { id, kind, target, by, instance, expiresAt, nonce });
}

function describe(one: Approval, paint: Paint): string {
  const { id, kind, says, target, by, state, threshold, count, answered, wrong, expiresAt } = one;
  const shares = answered.length === 0 ? 'none' : answered.join(', ');
  const failed = wrong === 0 ? '' : `, ${wrong} wrong ${wrong === 1 ? 'answer' : 'answers'}`;
  return (
    `${paint('bold', toPrintableLine(kind))} of ${paint('bold', toPrintableLine(target))}\n` +
    `  means     ${toPrintableLine(says)}\n` +
    `  asked by  ${toPrintableLine(by === '' ? 'a superuser' : by)}\n` +
    `  approved  by shares ${shares} of the ${threshold} of ${count} that it takes${failed}\n` +
    `  ${state === 'approved' ? 'good' : 'waits'} until ${expiresAt}\n` +
    `  id        ${toPrintableLine(id)}\n`
  );
}
