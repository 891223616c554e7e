import { join } from 'node:path';
import { homeOf } from '@spike/config';
import type { NexusTable, OutputOf } from '@spike/contract';
import { toSpikeError } from '@spike/error';
import { parseShare, writeShareFiles } from '@spike/recovery';
import { promptHidden, readPiped } from '../input/hidden.ts';
import type { Invocation } from '../invocation.ts';
import { Headlined } from '../output/headline.ts';
import { show } from '../output/show.ts';
import { openSession, type Session } from '../session.ts';

/** As much as the Go command reads. */
const mostShareBytes = 4096;

/** Writes one file for each share, as the Go command does. With `replace`, also over shares of another instance. */
export async function recoverShares(
  invocation: Invocation,
  options: { readonly replace?: true },
): Promise<void> {
  await using session = await openSession(invocation, 'recover');
  const { shards, instance = '', threshold = shards.size } = await session.client.recover({}, session.call);
  const directory = join(
    invocation.env['SPIKE_PILOT_RECOVERY_DIR'] || homeOf(invocation.env).root,
    'recover',
  );
  const shares = [...shards].map(([id, value]) => ({ id, value: [...value] }));
  try {
    await writeShareFiles(directory, shares, options);
  } finally {
    for (const { value } of shares) value.fill(0);
    for (const value of shards.values()) value.fill(0);
  }
  await show(invocation, {
    human: () =>
      `\n  SPIKE Recovery shards saved to the recovery directory:\n  ${directory}\n\n` +
      `  They are the ${shards.size} shares of instance ${instance}. Any ${threshold} of them are the root key.\n` +
      '  Give each to another person, keep them offline and encrypted, and delete this directory.\n\n',
    value: { directory, instance, threshold, shares: [...shards.keys()] },
  });
}

/** One share from a hidden prompt or from standard input. */
export async function restoreShare(invocation: Invocation): Promise<void> {
  const { stdin, stderr, stdout, settings, deadline, signal } = invocation;
  const promptOn = settings.format === 'human' ? stdout : stderr;
  const text = await deadline.pauseFor(() =>
    stdin.isTTY
      ? promptHidden('Enter recovery shard: ', stdin, promptOn, signal)
      : readPiped(stdin, mostShareBytes),
  );
  const { id, value } = parseShare(text);
  await using session = await openSession(invocation, 'restore');
  const progress = await sendShare(session, id, Uint8Array.from(value));
  await show(invocation, {
    human: () =>
      progress.restored
        ? '\n  SPIKE is now restored and ready to use.\n\n'
        : (progress.repeated === true ? `\n  Shard ${id} was given before.` : '') +
          `\n  Shards collected:  ${progress.collected}\n  Shards remaining:  ${progress.remaining}\n` +
          '  Please run `spike operator restore` again to provide the remaining shards.\n\n',
    value: progress,
  });
}

/** For a password that nobody knows any more: first it is asked for, and once it is approved it is printed, this once. */
export async function resetLostPassword(invocation: Invocation, user: string): Promise<void> {
  await using session = await openSession(invocation, 'recover');
  const issued = await session.client.recoverPassword({ user }, session.call);
  await show(invocation, {
    human: (paint) =>
      `All sessions of ${issued.user} have ended.\nOne-time password: ${paint('bold', issued.oneTimePassword)}\n` +
      `It is shown this once, ends at ${issued.oneTimeUntil}, and has to be changed at the first login:\n` +
      `  spike login --user ${issued.user}\n`,
    value: issued,
  });
}

/** Under the headline that the Go command has for every failure here. */
async function sendShare(
  session: Session,
  id: number,
  shard: Uint8Array,
): Promise<OutputOf<NexusTable['restore']>> {
  try {
    return await session.client.restore({ id, shard }, session.call);
  } catch (thrown) {
    throw new Headlined('Failed to communicate with SPIKE Nexus', toSpikeError(thrown));
  } finally {
    shard.fill(0);
  }
}
