import { readPrivateFile } from '@spike/config';
import { SpikeError, toSpikeError } from '@spike/error';
import { parseShare } from '@spike/recovery';
import { promptHidden } from '../input/hidden.ts';
import type { Invocation } from '../invocation.ts';

/** One share given; answers how many are still needed. Throws when it is none of the backup's. */
export type GiveShare = (id: number, shard: Uint8Array) => Promise<number>;

const mostShareBytes = 4096;

/** Gives recovery shares of the backup's instance until there are enough: from files, then from hidden prompts. */
export async function giveShares(
  invocation: Invocation,
  files: readonly string[],
  needed: number,
  give: GiveShare,
): Promise<void> {
  let remaining = needed;
  for (const path of files) {
    if (remaining === 0) return;
    const bytes = await readPrivateFile(path, mostShareBytes);
    if (bytes === undefined)
      throw new SpikeError('data_invalid_input', `${path} cannot be read: there is no such file`);
    try {
      remaining = await giveText(bytes.toString('utf8'), give);
    } finally {
      bytes.fill(0);
    }
  }
  if (remaining > 0 && !invocation.stdin.isTTY) {
    throw new SpikeError(
      'shamir_not_enough_shards',
      `${remaining} more recovery shares of the backup's instance are needed: name their files with --share`,
    );
  }
  while (remaining > 0) remaining = await prompt(invocation, remaining, give);
}

/** A share that is refused is asked for again: it was mistyped, or belongs elsewhere. */
async function prompt(invocation: Invocation, remaining: number, give: GiveShare): Promise<number> {
  const { stdin, stderr, deadline, signal } = invocation;
  signal.throwIfAborted();
  const text = await deadline.pauseFor(() =>
    promptHidden(
      `Enter recovery shard of the backup's instance (${remaining} to go): `,
      stdin,
      stderr,
      signal,
    ),
  );
  try {
    return await giveText(text, give);
  } catch (thrown) {
    const { code, message } = toSpikeError(thrown);
    if (code !== 'shamir_reconstruction_failed' && code !== 'data_invalid_input') throw thrown;
    stderr.write(`${message}\n`);
    return remaining;
  }
}

async function giveText(text: string, give: GiveShare): Promise<number> {
  const { id, value } = parseShare(text);
  const shard = Uint8Array.from(value);
  try {
    return await give(id, shard);
  } finally {
    shard.fill(0);
  }
}
