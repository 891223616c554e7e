import { SpikeError } from '@spike/error';
import { confirm, confirmFinal } from '../input/confirm.ts';
import type { Invocation } from '../invocation.ts';
import type { DeleteFlags, DestroyFlags, VersionFlags } from '../option.ts';
import { showDone } from '../output/show.ts';
import { openSession } from '../session.ts';

/** Asks in a terminal only: it can be undone, and scripts of the Go command are not asked. */
export async function deleteSecret(
  invocation: Invocation,
  path: string,
  { versions, yes }: DeleteFlags,
): Promise<void> {
  if (yes !== true && invocation.stdin.isTTY) {
    const what = versions.every((version) => version === 0)
      ? 'the current version'
      : `version ${versions.join(', ')}`;
    if (!(await confirm(invocation, `Delete ${what} of ${path}?`)))
      return await showCanceled(invocation, path);
  }
  await using session = await openSession(invocation, 'superuser');
  await session.client.deleteSecret({ path: session.path(path), versions: [...versions] }, session.call);
  await showDone(invocation, 'OK', { path, versions });
}

export async function undeleteSecret(
  invocation: Invocation,
  path: string,
  { versions }: VersionFlags,
): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  await session.client.undeleteSecret({ path: session.path(path), versions: [...versions] }, session.call);
  await showDone(invocation, 'OK', { path, versions });
}

export async function destroySecret(
  invocation: Invocation,
  path: string,
  { versions, all, yes }: DestroyFlags,
): Promise<void> {
  if ((versions === undefined) === (all === undefined))
    throw new SpikeError('data_invalid_input', 'say which: --versions LIST, or --all for the whole secret');
  const what = versions === undefined ? 'all versions' : `version ${versions.join(', ')}`;
  const question = `Destroy ${what} of ${path} for good?`;
  if (!(await confirmFinal(invocation, question, { yes: yes === true, takesPipe: false })))
    return await showCanceled(invocation, path);
  await using session = await openSession(invocation, 'superuser');
  const wanted = versions === undefined ? { all: true as const } : { versions: [...versions] };
  await session.client.destroySecret({ path: session.path(path), ...wanted }, session.call);
  await showDone(invocation, 'OK', { path, ...wanted });
}

async function showCanceled(invocation: Invocation, path: string): Promise<void> {
  await showDone(invocation, 'Operation canceled.', { path, canceled: true });
}
