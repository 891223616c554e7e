import { homeOf, readContext } from '@spike/config';
import { findProgram, replaceProcess } from '@spike/host';
import { AuthorityClient, formatSelector, type RegistrationEntry } from '@spike/registry';
import { TrustDomain } from '@spike/spiffe';
import type { Invocation } from '../invocation.ts';
import { parseFormat, toJson, toYaml } from '../output/format.ts';
import type { EntryFlags, FormatOptions } from '../option.ts';

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
  await client.bindRun(fullId(trustDomain, id), invocation.signal);
  replaceProcess(file, args, {
    ...invocation.env,
    SPIFFE_ENDPOINT_SOCKET: endpointSocket,
    ...(nexusUrl === undefined ? {} : { SPIKE_NEXUS_API_URL: nexusUrl }),
    SPIKE_TRUST_ROOT: trustDomain.name,
    SPIKE_TRUST_ROOT_NEXUS: trustDomain.name,
  });
}

export async function listEntries(invocation: Invocation, options: FormatOptions): Promise<void> {
  const { client } = await openAuthority(invocation);
  const entries = await client.listEntries(invocation.signal);
  if (parseFormat(options.format) === 'human' && entries.length === 0) {
    invocation.stdout.write('No entries found.\n');
    return;
  }
  await print(invocation, options, entries);
}

export async function showEntry(invocation: Invocation, id: string, options: FormatOptions): Promise<void> {
  const { client } = await openAuthority(invocation);
  await print(invocation, options, await client.showEntry(id, invocation.signal));
}

export async function createEntry(invocation: Invocation, flags: EntryFlags): Promise<void> {
  const { client, trustDomain } = await openAuthority(invocation);
  const spiffeId = fullId(trustDomain, flags.spiffeId);
  const { entry, created } = await client.createEntry(
    { spiffeId, selectors: flags.selector },
    invocation.signal,
  );
  if (!created) invocation.stderr.write('An entry with this ID and these selectors was there already.\n');
  await print(invocation, flags, entry);
}

export async function deleteEntry(invocation: Invocation, id: string): Promise<void> {
  const { client } = await openAuthority(invocation);
  await client.deleteEntry(id, invocation.signal);
  invocation.stdout.write('OK\n');
}

/** The authority of this home, whether the launcher started it or `authority serve`. */
async function openAuthority(invocation: Invocation): Promise<LocalAuthority> {
  const home = homeOf(invocation.env);
  const context = await readContext(home);
  const client = new AuthorityClient({ socketPath: context?.adminSocket ?? home.adminSocket });
  const { trustDomain, socketPath } = await client.status(invocation.signal);
  return {
    client,
    trustDomain: TrustDomain.parse(trustDomain),
    endpointSocket: `unix://${socketPath}`,
    nexusUrl: context?.nexusUrl,
  };
}

/** A path alone means the trust domain of the running system. */
function fullId(trustDomain: TrustDomain, id: string): string {
  return id.startsWith('/') ? `${trustDomain.toString()}${id}` : id;
}

async function print(
  invocation: Invocation,
  options: FormatOptions,
  shown: RegistrationEntry | readonly RegistrationEntry[],
): Promise<void> {
  const entries = 'id' in shown ? [shown] : shown;
  switch (parseFormat(options.format)) {
    case 'json':
      invocation.stdout.write(toJson(plain(shown), 2));
      return;
    case 'yaml':
      invocation.stdout.write(await toYaml(plain(shown)));
      return;
    case 'human':
      invocation.stdout.write(entries.map(describe).join('\n'));
  }
}

function plain(shown: RegistrationEntry | readonly RegistrationEntry[]): unknown {
  if (!('id' in shown)) return shown.map(plain);
  return { ...shown, selectors: shown.selectors.map(formatSelector) };
}

function describe(entry: RegistrationEntry): string {
  const lines = [
    `Entry ID:   ${entry.id}`,
    `SPIFFE ID:  ${entry.spiffeId}`,
    ...entry.selectors.map((selector) => `Selector:   ${formatSelector(selector)}`),
    `Created At: ${entry.createdAt}`,
    `Origin:     ${entry.origin}`,
  ];
  return `${lines.join('\n')}\n`;
}
