import type { KeeperTable, NexusTable } from '@spike/contract';
import { Grant, type GrantOf } from './guard/grant.ts';
import type { Handlers } from './port.ts';

/* What must not compile. Checked by tsc; nothing here runs. */

type Read = GrantOf<NexusTable['getSecret']>;
type Write = GrantOf<NexusTable['putSecret']>;
type Recover = GrantOf<NexusTable['recover']>;

declare const read: Read;
declare const write: Write;
declare const recover: Recover;

function needsRead(grant: Read): string {
  return grant.permission.path.text;
}

export function check(): void {
  needsRead(read);
  // @ts-expect-error: a permission to write is none to read
  needsRead(write);
  // @ts-expect-error: a role is no permission on a path
  needsRead(recover);
  // @ts-expect-error: what looks like a grant is none
  needsRead({ peer: read.peer, permission: read.permission, policy: undefined });
  // @ts-expect-error: nobody but the guard makes one
  needsRead(new Grant(read.peer, read.permission, undefined));
}

declare const contributeShare: Handlers<KeeperTable>['contributeShare'];
declare const fetchShare: Handlers<KeeperTable>['fetchShare'];
declare const keeperStatus: Handlers<KeeperTable>['keeperStatus'];

export const complete: Handlers<KeeperTable> = { contributeShare, fetchShare, keeperStatus };
// @ts-expect-error: a handler for each route
export const incomplete: Handlers<KeeperTable> = { contributeShare, fetchShare };
// @ts-expect-error: undefined is none
export const empty: Handlers<KeeperTable> = { contributeShare, fetchShare, keeperStatus: undefined };
export const wrong: Handlers<KeeperTable> = {
  contributeShare,
  keeperStatus,
  // @ts-expect-error: that answers what the route answers
  fetchShare: async () => ({ shard: 'text' }),
};
