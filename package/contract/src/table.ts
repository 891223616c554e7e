import { beginBootstrap, verifyBootstrap } from './route/bootstrap.ts';
import { recover, restore, status } from './route/operator.ts';
import { deletePolicy, getPolicy, listPolicies, putPolicy } from './route/policy.ts';
import { deleteSecret, getSecret, listSecrets, putSecret } from './route/secret.ts';
import { contributeShare, fetchShare, keeperStatus } from './route/share.ts';

/** Everything that Nexus answers. */
export const nexusTable = Object.freeze({
  putSecret,
  getSecret,
  deleteSecret,
  listSecrets,
  putPolicy,
  getPolicy,
  deletePolicy,
  listPolicies,
  verifyBootstrap,
  beginBootstrap,
  recover,
  restore,
  status,
});

/** Everything that a Keeper answers. */
export const keeperTable = Object.freeze({ contributeShare, fetchShare, keeperStatus });

export type NexusTable = typeof nexusTable;
export type KeeperTable = typeof keeperTable;
