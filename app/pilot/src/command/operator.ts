import { join } from 'node:path';
import { homeOf } from '@spike/config';
import { SpikeError } from '@spike/error';
import { parseShare, writeShareFiles } from '@spike/recovery';
import { promptHidden, readPiped } from '../input/hidden.ts';
import type { Invocation } from '../invocation.ts';
import { openSession } from '../session.ts';

/** Writes one file for each share, as the Go command does. */
export async function recoverShares(invocation: Invocation): Promise<void> {
  await using session = await openSession(invocation, 'recover');
  const { shards } = await session.client.recover({}, { signal: invocation.signal });
  const directory = join(
    invocation.env['SPIKE_PILOT_RECOVERY_DIR'] || homeOf(invocation.env).root,
    'recover',
  );
  await writeShareFiles(
    directory,
    [...shards].map(([id, value]) => ({ id, value: [...value] })),
  );
  for (const value of shards.values()) value.fill(0);
  invocation.stdout.write(
    `\n  SPIKE Recovery shards saved to the recovery directory:\n  ${directory}\n\n` +
      '  Together they are the root key. Give each to another person, keep them offline and encrypted,\n' +
      '  and delete this directory.\n\n',
  );
}

/** One share from a hidden prompt or from standard input. */
export async function restoreShare(invocation: Invocation): Promise<void> {
  const text = invocation.stdin.isTTY
    ? await promptHidden('Enter recovery shard: ', invocation.stdin, invocation.stdout)
    : await readPiped(invocation.stdin);
  if (text.trim() === '') throw new SpikeError('data_invalid_input', 'no recovery shard was given');
  const { id, value } = parseShare(text);
  await using session = await openSession(invocation, 'restore');
  const progress = await session.client.restore(
    { id, shard: Uint8Array.from(value) },
    { signal: invocation.signal },
  );
  if (progress.restored) {
    invocation.stdout.write('\n  SPIKE is now restored and ready to use.\n\n');
    return;
  }
  invocation.stdout.write(
    `\n  Shards collected:  ${progress.collected}\n  Shards remaining:  ${progress.remaining}\n` +
      '  Please run `spike operator restore` again to provide the remaining shards.\n\n',
  );
}
