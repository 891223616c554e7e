import type { AdministratorRole } from '@spike/contract';
import type { Service } from './spire/part.ts';
import type { End } from './tree/parse.ts';

/* What the flags of a command come to; `tree/` declares the flags, the commands read these. */

export interface StatusOptions {
  readonly verify?: boolean;
  readonly history?: boolean;
}
export interface AlertListFlags {
  readonly all?: true;
  readonly limit: number;
}
export interface ContextOptions {
  readonly shell?: boolean;
}
export interface PutFlags {
  readonly fromEnvFile?: string;
  readonly fromJson?: string;
  readonly cas?: number;
  readonly maxVersions?: number;
}
export interface GetFlags {
  readonly version: number;
  readonly field?: string;
  readonly raw?: true;
  readonly force?: true;
}
export interface ListFlags {
  readonly recursive?: true;
  readonly tree?: true;
}
export interface VersionFlags {
  readonly versions: readonly number[];
}
export interface DeleteFlags extends VersionFlags {
  readonly yes?: true;
}
export interface DestroyFlags {
  readonly versions?: readonly number[];
  readonly all?: true;
  readonly yes?: true;
}
export interface MetadataFlags {
  readonly maxVersions?: number;
  readonly owner?: string;
  readonly description?: string;
  readonly label: readonly string[];
  readonly removeLabel: readonly string[];
}
export interface TenantFlag {
  readonly tenant?: string;
}
export interface PolicyFlags extends TenantFlag {
  readonly name?: string;
  readonly pathPattern?: string;
  readonly spiffeidPattern?: string;
  readonly permissions?: string;
}
export interface ApplyFlags extends PolicyFlags {
  readonly file?: string;
  readonly dryRun?: true;
}
export interface NameFlags extends TenantFlag {
  readonly name?: string;
}
export interface PolicyFilters {
  readonly pathPattern?: string;
  readonly spiffeidPattern?: string;
}
export interface CipherFiles {
  readonly file?: string;
  readonly out?: string;
}
export interface EncryptFlags extends CipherFiles {
  readonly plaintext?: string;
}
export interface DecryptFlags extends CipherFiles {
  readonly version?: string;
  readonly nonce?: string;
  readonly ciphertext?: string;
}
export interface EntryFlags {
  readonly spiffeId: string;
  readonly selector: readonly string[];
  readonly federatesWith: readonly string[];
}
export interface RelationshipFlags {
  readonly bundle?: string;
  readonly url?: string;
  readonly profile?: 'https_web' | 'https_spiffe';
  readonly endpointId?: string;
}
export interface PasswordFlags {
  readonly password?: string;
  readonly passwordStdin?: true;
  readonly passwordFile?: string;
}
export interface InitFlags extends PasswordFlags {
  readonly user?: string;
  readonly codeFile?: string;
  readonly printToken?: true;
}
export interface LoginFlags extends PasswordFlags {
  readonly user?: string;
  /** In seconds. */
  readonly ttl?: number;
  readonly uses?: number;
  readonly scope?: 'all' | 'read-only';
  readonly newPasswordFile?: string;
  readonly printToken?: true;
}
export interface LogoutFlags {
  readonly all?: true;
}
export interface RenewFlags {
  /** In seconds. */
  readonly ttl?: number;
}
export interface RevokeFlags {
  readonly user?: string;
  readonly all?: true;
}
export interface ChangeFlags {
  readonly passwordStdin?: true;
  readonly passwordFile?: string;
  readonly newPasswordFile?: string;
}
export interface RoleFlags {
  readonly tenant?: string;
}
export interface CreateAdminFlags extends RoleFlags {
  readonly role: AdministratorRole;
  readonly spiffeId?: string;
}
export interface BackupFlags {
  readonly recipient: readonly string[];
  readonly recipientsFile: readonly string[];
  readonly withoutRecovery?: true;
}
export interface VerifyBackupFlags {
  readonly identity: readonly string[];
  readonly share: readonly string[];
  readonly offline?: true;
}
export interface RestoreBackupFlags {
  readonly identity: readonly string[];
  readonly share: readonly string[];
  readonly replace?: true;
  readonly abort?: true;
  readonly yes?: true;
}
export interface TailFlags {
  readonly lines: number;
  readonly follow?: true;
}
export interface SearchFlags {
  readonly from: number;
  readonly most: number;
  readonly since?: Date;
  readonly until?: Date;
  readonly administrator?: string;
  readonly spiffeId?: string;
  readonly action?: string;
  readonly path?: string;
  readonly outcome?: 'ok' | 'denied' | 'failed';
  readonly trail?: string;
}
export interface VerifyFlags {
  readonly checkpoint: readonly string[];
  readonly key?: string;
  readonly from: number;
  readonly allowUncovered?: true;
  readonly download?: true;
}
export interface ProveFlags {
  readonly out?: string;
}
export interface CheckpointFlags {
  readonly out?: string;
}
export interface ExportFlags {
  readonly out?: string;
  readonly from: number;
}
export interface AuditKeyFlags {
  readonly pin?: true;
  readonly replace?: true;
}
export interface ReviewFlags {
  readonly from?: number;
  readonly done?: true;
}
export interface ResetFlags {
  readonly force?: true;
  readonly dryRun?: true;
  readonly backup?: string;
  readonly identity: readonly string[];
  readonly recipient: readonly string[];
  readonly recipientsFile: readonly string[];
}
export interface VerifyResetFlags {
  readonly key?: string;
}
export interface ShareFlags {
  readonly of?: string;
  readonly shareFile?: string;
  readonly yes?: true;
}
export interface OpenFlags {
  readonly reason: string;
  /** In seconds. */
  readonly ttl?: number;
}
export interface SpireEntryFlags {
  readonly parent: string;
  readonly bin?: string;
  readonly part: readonly Service[];
  /** False: none of them. */
  readonly services: boolean;
  readonly serviceUser: readonly (readonly [Service, string])[];
  readonly superuser: readonly string[];
  readonly recover: readonly string[];
  readonly restore: readonly string[];
  readonly federatesWith: readonly string[];
  /** In seconds. */
  readonly svidTtl?: number;
}
export interface DenyFlags {
  readonly reason: string;
  readonly until?: End;
  readonly yes?: true;
}
export interface LiftFlags {
  readonly yes?: true;
}
