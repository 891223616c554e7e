import type { NexusTable, OutputOf } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { Invocation } from '../invocation.ts';
import type { RenewFlags, RevokeFlags } from '../option.ts';
import type { Paint } from '../output/color.ts';
import { show, showDone } from '../output/show.ts';
import { toPrintableLine } from '../output/text.ts';
import { openSession } from '../session.ts';

type Listed = OutputOf<NexusTable['showToken']>['session'];

export async function listTokens(invocation: Invocation): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { sessions } = await session.client.listTokens({}, session.call);
  await show(invocation, {
    human: (paint) =>
      sessions.length === 0
        ? 'There are no sessions.\n'
        : sessions.map((one) => describe(one, paint)).join('\n'),
    value: sessions,
    isPaged: true,
  });
}

/** One session, or the own one. */
export async function showToken(invocation: Invocation, accessor: string | undefined): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { client, call } = session;
  const { session: found } =
    accessor === undefined ? await client.showToken({}, call) : await client.getToken({ accessor }, call);
  await show(invocation, { human: (paint) => describe(found, paint), value: found });
}

export async function renewToken(invocation: Invocation, { ttl = 3600 }: RenewFlags): Promise<void> {
  await using session = await openSession(invocation, 'superuser', { administrator: 'shown' });
  const { session: renewed } = await session.client.renewToken({ ttlSeconds: ttl }, session.call);
  await showDone(invocation, `The session ends at ${renewed.expiresAt}.`, renewed);
}

/** Throws `data_invalid_input` unless exactly one of an accessor, a name and all is given. */
export async function revokeTokens(
  invocation: Invocation,
  accessor: string | undefined,
  { user, all }: RevokeFlags,
): Promise<void> {
  if ([accessor, user, all].filter((one) => one !== undefined).length !== 1)
    throw new SpikeError('data_invalid_input', 'name one session by its accessor, or use --user or --all');
  await using session = await openSession(invocation, 'superuser');
  const meant =
    accessor !== undefined
      ? ({ by: 'accessor', which: accessor } as const)
      : user !== undefined
        ? ({ by: 'user', which: user } as const)
        : ({ by: 'all', which: '' } as const);
  const { ended } = await session.client.revokeTokens(meant, session.call);
  await showDone(invocation, `${ended} ${ended === 1 ? 'session' : 'sessions'} ended.`, { ended });
}

function describe(session: Listed, paint: Paint): string {
  const { administrator, accessor, spiffeId, remoteAddress, scope, uses, usesLeft } = session;
  const left = usesLeft === undefined ? '' : `, ${usesLeft} left`;
  return (
    `${paint('bold', administrator)}  ${accessor}${scope === 'all' ? '' : `  (${scope})`}\n` +
    `  from      ${toPrintableLine(spiffeId)}, ${toPrintableLine(remoteAddress)}\n` +
    `  created   ${session.createdAt}\n  last used ${session.lastUsedAt}\n  ends      ${session.expiresAt}\n` +
    `  uses      ${uses}${left}\n`
  );
}
