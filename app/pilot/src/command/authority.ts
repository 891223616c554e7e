import { findProgram, replaceProcess } from '@spike/host';
import { describeEntry, printEntry, toPlain } from '../authority/entry.ts';
import { fullId, openAuthority, reach } from '../authority/local.ts';
import { confirm } from '../input/confirm.ts';
import type { Invocation } from '../invocation.ts';
import type { EntryFlags } from '../option.ts';
import { show, showDone } from '../output/show.ts';

/** Becomes the program: the authority binds our pid to the ID, and execve keeps the pid. */
export async function runWithIdentity(
  invocation: Invocation,
  id: string,
  command: readonly string[],
): Promise<void> {
  const { client, trustDomain, endpointSocket, nexusUrl } = await openAuthority(invocation);
  const [name = '', ...args] = command[0] === '--' ? command.slice(1) : command;
  const file = findProgram(name, invocation.env['PATH'] ?? '');
  await reach(() => client.bindRun(fullId(trustDomain, id), invocation.signal));
  replaceProcess(file, args, {
    ...invocation.env,
    SPIFFE_ENDPOINT_SOCKET: endpointSocket,
    ...(nexusUrl === undefined ? {} : { SPIKE_NEXUS_API_URL: nexusUrl }),
    SPIKE_TRUST_ROOT: trustDomain.name,
    SPIKE_TRUST_ROOT_NEXUS: trustDomain.name,
  });
}

export async function listEntries(invocation: Invocation): Promise<void> {
  const { client } = await openAuthority(invocation);
  const entries = await reach(() => client.listEntries(invocation.signal));
  await show(invocation, {
    human: () => (entries.length === 0 ? 'No entries found.\n' : entries.map(describeEntry).join('\n')),
    value: entries.map(toPlain),
    isPaged: true,
  });
}

export async function showEntry(invocation: Invocation, id: string): Promise<void> {
  const { client } = await openAuthority(invocation);
  await printEntry(invocation, await reach(() => client.showEntry(id, invocation.signal)));
}

export async function createEntry(invocation: Invocation, flags: EntryFlags): Promise<void> {
  const { client, trustDomain } = await openAuthority(invocation);
  const wanted = {
    spiffeId: fullId(trustDomain, flags.spiffeId),
    selectors: flags.selector,
    federatesWith: flags.federatesWith,
  };
  const { entry, created } = await reach(() => client.createEntry(wanted, invocation.signal));
  if (!created && invocation.settings.format === 'human')
    invocation.stderr.write('An entry with this ID and these selectors was there already.\n');
  await printEntry(invocation, entry);
}

/** Asks in a terminal only: the entry can be made again. */
export async function deleteEntry(
  invocation: Invocation,
  id: string,
  { yes }: { readonly yes?: true },
): Promise<void> {
  const { client } = await openAuthority(invocation);
  if (yes !== true && invocation.stdin.isTTY) {
    const { spiffeId } = await reach(() => client.showEntry(id, invocation.signal));
    const question = `Delete the entry ${id} of ${spiffeId}? Whoever holds this identity loses it at once.`;
    if (!(await confirm(invocation, question)))
      return await showDone(invocation, 'Operation canceled.', { id, canceled: true });
  }
  await reach(() => client.deleteEntry(id, invocation.signal));
  await showDone(invocation, 'OK', { id });
}
