import { SpikeError } from '@spike/error';
import type { EndpointSetting, RegistrationEntry, Relationship } from '@spike/registry';
import { printEntry } from '../authority/entry.ts';
import { fullId, openAuthority, reach } from '../authority/local.ts';
import { confirm } from '../input/confirm.ts';
import { readSmallFile } from '../input/file.ts';
import type { Invocation } from '../invocation.ts';
import type { RelationshipFlags } from '../option.ts';
import { show, showDone } from '../output/show.ts';

/** Below what the authority takes in one request. */
const maxBundleBytes = 98_304;

export async function showBundle(invocation: Invocation): Promise<void> {
  const { client } = await openAuthority(invocation);
  const { bundle } = await reach(() => client.showBundle(invocation.signal));
  // As it is: a number of 64 bits in it does not survive another reading.
  await show(invocation, { human: () => `${bundle}\n`, value: JSON.parse(bundle) });
}

export async function listRelationships(invocation: Invocation): Promise<void> {
  const { client } = await openAuthority(invocation);
  const relationships = await reach(() => client.listRelationships(invocation.signal));
  const human = (): string =>
    relationships.length === 0
      ? 'This authority knows no other trust domain.\n'
      : relationships.map(describe).join('\n');
  await show(invocation, { human, value: relationships, isPaged: true });
}

export async function setRelationship(
  invocation: Invocation,
  trustDomain: string,
  flags: RelationshipFlags,
): Promise<void> {
  const endpoint = toEndpoint(flags);
  const bundle = flags.bundle === undefined ? undefined : await readText(flags.bundle);
  const { client } = await openAuthority(invocation);
  const draft = {
    trustDomain,
    ...(bundle === undefined ? {} : { bundle }),
    ...(endpoint === undefined ? {} : { endpoint }),
  };
  const relationship = await reach(() => client.setRelationship(draft, invocation.signal));
  await show(invocation, { human: () => describe(relationship), value: relationship });
}

/** Asks in a terminal only: the trust domain can be set again. */
export async function deleteRelationship(
  invocation: Invocation,
  trustDomain: string,
  { yes }: { readonly yes?: true },
): Promise<void> {
  const { client } = await openAuthority(invocation);
  if (yes !== true && invocation.stdin.isTTY) {
    const question = `Delete the trust domain ${trustDomain}? Its workloads are refused at once.`;
    if (!(await confirm(invocation, question)))
      return await showDone(invocation, 'Operation canceled.', { trustDomain, canceled: true });
  }
  await reach(() => client.deleteRelationship(trustDomain, invocation.signal));
  await showDone(invocation, 'OK', { trustDomain });
}

/** No trust domain means none beside its own. The entry is named by its id, or by its SPIFFE ID where that is enough. */
export async function federateEntry(
  invocation: Invocation,
  name: string,
  trustDomains: readonly string[],
): Promise<void> {
  const { client, trustDomain } = await openAuthority(invocation);
  const entry = await reach(async () => {
    const id = /^(?:\/|spiffe:)/.test(name)
      ? findOne(await client.listEntries(invocation.signal), fullId(trustDomain, name))
      : name;
    return await client.federateEntry(id, trustDomains, invocation.signal);
  });
  await printEntry(invocation, entry);
}

function findOne(entries: readonly RegistrationEntry[], spiffeId: string): string {
  const [entry, ...more] = entries.filter((one) => one.spiffeId === spiffeId);
  if (entry === undefined)
    throw new SpikeError('api_not_found', `there is no entry of ${spiffeId}; see spike authority entry list`);
  if (more.length === 0) return entry.id;
  const message = `${spiffeId} has ${more.length + 1} entries; name one by its id, see spike authority entry list`;
  throw new SpikeError('data_invalid_input', message);
}

function toEndpoint({ url, profile, endpointId }: RelationshipFlags): EndpointSetting | undefined {
  if (url === undefined && profile === undefined && endpointId === undefined) return undefined;
  // Nothing about an endpoint is guessed: each of the two profiles proves something else.
  if (url === undefined || profile === undefined)
    throw new SpikeError('data_invalid_input', 'an endpoint has both a --url and a --profile');
  if (profile === 'https_web') {
    if (endpointId === undefined) return { profile, url };
    throw new SpikeError('data_invalid_input', '--endpoint-id is for --profile https_spiffe');
  }
  if (endpointId === undefined)
    throw new SpikeError(
      'data_invalid_input',
      '--profile https_spiffe wants the --endpoint-id of its server',
    );
  return { profile, url, spiffeId: endpointId };
}

async function readText(path: string): Promise<string> {
  return Buffer.from(await readSmallFile(path, maxBundleBytes)).toString('utf8');
}

function describe(relationship: Relationship): string {
  const { trustDomain, x509Authorities, jwtAuthorities, sequence, endpoint, error } = relationship;
  const lines = [
    `Trust Domain: ${trustDomain}`,
    `Authorities:  ${x509Authorities} for X.509-SVIDs, ${jwtAuthorities} for JWT-SVIDs`,
    ...(sequence === undefined ? [] : [`Sequence:     ${sequence}`]),
    ...(endpoint === undefined ? [] : [`Endpoint:     ${endpoint.url} (${endpoint.profile})`]),
    ...(endpoint?.profile === 'https_spiffe' ? [`Endpoint ID:  ${endpoint.spiffeId}`] : []),
    ...(error === undefined ? [] : [`Last Error:   ${error}`]),
  ];
  return `${lines.join('\n')}\n`;
}
