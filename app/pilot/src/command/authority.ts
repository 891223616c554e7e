import { homeOf, readContext } from '@spike/config';
import { findProgram, replaceProcess } from '@spike/host';
import { AuthorityClient, formatSelector, type RegistrationEntry } from '@spike/registry';
import { TrustDomain } from '@spike/spiffe';
import { confirm } from '../input/confirm.ts';
import type { Invocation } from '../invocation.ts';
import type { EntryFlags } from '../option.ts';
import { withPeer } from '../output/headline.ts';
import { show, showDone } from '../output/show.ts';

interface LocalAuthority {
  readonly client: AuthorityClient;
  readonly trustDomain: TrustDomain;
  readonly endpointSocket: string;
  /** Undefined where an authority runs alone. */
  readonly nexusUrl: string | undefined;
}

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
    human: () => (entries.length === 0 ? 'No entries found.\n' : entries.map(describe).join('\n')),
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

export async function reach<T>(call: () => Promise<T>): Promise<T> {
  return await withPeer('the identity authority of this machine', call);
}

/** The authority of this home, whether the launcher started it or `authority serve`. */
export async function openAuthority(invocation: Invocation): Promise<LocalAuthority> {
  const home = homeOf(invocation.env);
  const context = await readContext(home);
  const client = new AuthorityClient({ socketPath: context?.adminSocket ?? home.adminSocket });
  const { trustDomain, socketPath } = await reach(() => client.status(invocation.signal));
  return {
    client,
    trustDomain: TrustDomain.parse(trustDomain),
    endpointSocket: `unix://${socketPath}`,
    nexusUrl: context?.nexusUrl,
  };
}

/** A path alone means the trust domain of the running system. */
export function fullId(trustDomain: TrustDomain, id: string): string {
  return id.startsWith('/') ? `${trustDomain.toString()}${id}` : id;
}

export async function printEntry(invocation: Invocation, entry: RegistrationEntry): Promise<void> {
  await show(invocation, { human: () => describe(entry), value: toPlain(entry) });
}

function toPlain(entry: RegistrationEntry): unknown {
  return { ...entry, selectors: entry.selectors.map(formatSelector) };
}

function describe(entry: RegistrationEntry): string {
  const lines = [
    `Entry ID:   ${entry.id}`,
    `SPIFFE ID:  ${entry.spiffeId}`,
    ...entry.selectors.map((selector) => `Selector:   ${formatSelector(selector)}`),
    ...entry.federatesWith.map((name) => `Federates:  ${name}`),
    `Created At: ${entry.createdAt}`,
    `Origin:     ${entry.origin}`,
  ];
  return `${lines.join('\n')}\n`;
}
