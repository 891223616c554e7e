import { intakeOf } from './limit.ts';
import { acknowledgeAlert, getAlert, listAlerts } from './route/alert.ts';
import { listHistory } from './route/history.ts';
import {
  createAdministrator,
  disableAdministrator,
  enableAdministrator,
  getAdministrator,
  listAdministrators,
  resetAdministratorPassword,
  setAdministratorRole,
} from './route/administrator.ts';
import {
  abortRestore,
  beginBackup,
  cancelBackup,
  endBackup,
  feedBackup,
  finishRestore,
  giveBackupShare,
  listBackups,
  openBackup,
  readBackup,
  startRestore,
} from './route/backup.ts';
import {
  auditKey,
  rotateAuditKey,
  checkpointAudit,
  exportAudit,
  finishReview,
  proveConsistency,
  proveRecord,
  reviewAudit,
  searchAudit,
  tailAudit,
  verifyAudit,
} from './route/audit.ts';
import { answerApproval, getApproval, listApprovals, openRecovery } from './route/approval.ts';
import { beginBootstrap, verifyBootstrap } from './route/bootstrap.ts';
import {
  approveBreakglass,
  cancelBreakglass,
  closeBreakglass,
  listBreakglasses,
  openBreakglass,
  reportBreakglass,
} from './route/breakglass.ts';
import { decrypt, encrypt } from './route/cipher.ts';
import { denyIdentity, liftDenial, listDenials } from './route/denial.ts';
import { initialize } from './route/init.ts';
import { login, logout } from './route/login.ts';
import { recover, recoverPassword, restore, status } from './route/operator.ts';
import { changePassword } from './route/password.ts';
import { deletePolicy, getPolicy, listPolicies, putPolicy } from './route/policy.ts';
import { explainReset, getResetKeys, printReset } from './route/reset.ts';
import {
  deleteSecret,
  destroySecret,
  getMetadata,
  getSecret,
  listSecrets,
  putSecret,
  setMetadata,
  undeleteSecret,
} from './route/secret.ts';
import { contributeShare, fetchShare, keeperStatus } from './route/share.ts';
import { getToken, listTokens, renewToken, revokeTokens, showToken } from './route/token.ts';

/** Everything that Nexus answers. */
export const nexusTable = Object.freeze({
  putSecret,
  getSecret,
  deleteSecret,
  undeleteSecret,
  destroySecret,
  listSecrets,
  getMetadata,
  setMetadata,
  putPolicy,
  getPolicy,
  deletePolicy,
  listPolicies,
  encrypt,
  decrypt,
  verifyBootstrap,
  beginBootstrap,
  recover,
  restore,
  status,
  listHistory,
  listAlerts,
  getAlert,
  acknowledgeAlert,
  initialize,
  login,
  logout,
  changePassword,
  showToken,
  renewToken,
  listTokens,
  getToken,
  revokeTokens,
  createAdministrator,
  listAdministrators,
  getAdministrator,
  disableAdministrator,
  enableAdministrator,
  setAdministratorRole,
  resetAdministratorPassword,
  beginBackup,
  readBackup,
  endBackup,
  cancelBackup,
  listBackups,
  openBackup,
  feedBackup,
  giveBackupShare,
  startRestore,
  finishRestore,
  abortRestore,
  tailAudit,
  searchAudit,
  checkpointAudit,
  proveRecord,
  proveConsistency,
  exportAudit,
  auditKey,
  rotateAuditKey,
  reviewAudit,
  finishReview,
  verifyAudit,
  explainReset,
  printReset,
  getResetKeys,
  recoverPassword,
  listApprovals,
  getApproval,
  answerApproval,
  openRecovery,
  openBreakglass,
  approveBreakglass,
  cancelBreakglass,
  closeBreakglass,
  listBreakglasses,
  reportBreakglass,
  denyIdentity,
  listDenials,
  liftDenial,
});

/** The same, where a secret may have so many bytes of names and values. */
export function nexusTableOf({ secretBytes }: { readonly secretBytes: number }): NexusTable {
  return Object.freeze({
    ...nexusTable,
    putSecret: Object.freeze({ ...putSecret, limits: intakeOf(secretBytes) }),
  });
}

/** Everything that a Keeper answers. */
export const keeperTable = Object.freeze({ contributeShare, fetchShare, keeperStatus });

export type NexusTable = typeof nexusTable;
export type KeeperTable = typeof keeperTable;
