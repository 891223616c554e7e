import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, large, small } from '../limit.ts';
import { base64, shard, text, time, whole } from '../schema/field.ts';

const path = '/v1/backup';
const MiB = 1024 * 1024;

/** Of what is sent of a backup in one request. */
export const backupPieceBytes = MiB;
/** The beginning of a backup, with the whole head of a store. */
const startBytes = 4.5 * MiB;
/** Of what is given out at once: a piece, and the largest record that was just too much. */
const pieceBytes = 6 * MiB;

const id = text(64);
/** SHA-256, in hex. */
const digest = z.string().regex(/^[0-9a-f]{64}$/, 'has to be 64 hexadecimal digits');
const names = z.array(z.string());

const take = {
  path,
  guard: { kind: 'administrator', privilege: 'backup.create' },
  need: 'unlocked',
  limits: small,
  unknownFields: 'refuse',
  error: errorShape(),
} as const;

/** Pieces are asked for by number, so whoever lost an answer asks again. */
export const beginBackup = route({
  ...take,
  action: 'begin',
  summary: 'Begin a backup: a consistent view of the store, to be read piece by piece',
  limits: { ...small, deadlineMs: 30_000 },
  audit: 'backup.begin',
  repeatable: false,
  request: z.object({ withoutRecovery: z.boolean('has to be true or false').default(false) }),
  response: z.object({ id, instance: z.string(), createdAt: time, revision: whole, estimatedBytes: whole }),
  fails: ['entity_version_conflict'],
});

export const readBackup = route({
  ...take,
  action: 'read',
  summary: 'Read the next piece of a backup, or the last one again',
  limits: { ...large, requestBytes: small.requestBytes },
  audit: 'backup.read',
  repeatable: true,
  request: z.object({ id, part: whole.min(1) }),
  response: z.object({ data: base64(pieceBytes), last: z.boolean() }),
  fails: ['api_not_found', 'data_invalid_input'],
});

export const endBackup = route({
  ...take,
  action: 'end',
  summary: 'Say that a backup lies sealed in its place, so that Nexus notes it',
  audit: 'backup.create',
  repeatable: false,
  request: z.object({
    id,
    digest,
    bytes: whole.min(0),
    sha256: digest,
    /** Shortened. */
    recipients: z.array(text(64)).max(32),
  }),
  response: z.object({}),
  fails: ['api_not_found', 'data_invalid_input', 'entity_version_conflict'],
});

export const cancelBackup = route({
  ...take,
  action: 'cancel',
  summary: 'Give up a backup that was begun',
  audit: 'backup.cancel',
  repeatable: true,
  request: z.object({ id }),
  response: z.object({}),
});

const note = z.object({
  digest,
  createdAt: time,
  revision: whole,
  rows: whole,
  bytes: whole,
  sha256: digest,
  recipients: names,
  by: z.string(),
  verifiedAt: time.optional(),
});

const whileRestoring = { need: 'restoring' } as const;
const read = { ...take, guard: { kind: 'administrator', privilege: 'backup.read' } } as const;

export const listBackups = route({
  ...read,
  ...whileRestoring,
  action: 'list',
  summary: 'List the backups that Nexus knows of, newest first',
  limits: { ...small, responseBytes: MiB },
  audit: 'backup.list',
  repeatable: true,
  request: z.object({}),
  response: z.object({
    instance: z.string(),
    revision: whole,
    backups: z.array(note),
    verifiedAt: time.optional(),
    recoveryAt: time.optional(),
    restored: z.object({ at: time, instance: z.string(), digest }).optional(),
    /** A restore that is under way; nothing else is served. */
    restoring: z.object({ digest, instance: z.string(), startedAt: time, by: z.string() }).optional(),
  }),
});

/** `verify` needs no shares and takes backups of the running instance; `restore` needs those of the backup's. */
export const openBackup = route({
  ...read,
  ...whileRestoring,
  action: 'open',
  summary: 'Begin to send a backup, up to the end of its head',
  limits: large,
  audit: 'backup.open',
  repeatable: false,
  request: z.object({ purpose: z.enum(['verify', 'restore']), start: base64(startBytes) }),
  response: z.object({ id, instance: z.string(), offset: whole, threshold: whole, remaining: whole }),
  fails: ['data_invalid_input', 'store_integrity'],
});

const report = z.object({
  digest,
  instance: z.string(),
  createdAt: time,
  release: z.string(),
  revision: whole,
  recoverable: z.boolean(),
  /** How many transactions there were since; where the backup is of the running instance. */
  behind: whole.optional(),
  rows: z.record(z.string(), whole),
  opened: whole,
  whole: z.boolean(),
  problems: names,
  policies: names,
  administrators: z.array(z.object({ name: z.string(), disabled: z.boolean() })),
  deniedIds: names,
});

/** `offset` is that of `data`; what is there already is passed over. The last piece of the first pass brings the report. */
export const feedBackup = route({
  ...read,
  ...whileRestoring,
  action: 'feed',
  summary: 'Send the next bytes of a backup: first to look at each record, then to bring it back',
  limits: { ...large, responseBytes: 4 * MiB },
  audit: 'backup.feed',
  repeatable: true,
  request: z.object({ id, offset: whole.min(0), data: base64(backupPieceBytes) }),
  response: z.object({ offset: whole, report: report.optional() }),
  fails: ['api_not_found', 'data_invalid_input', 'entity_version_conflict'],
});

const restore = {
  ...take,
  ...whileRestoring,
  guard: { kind: 'administrator', privilege: 'backup.restore' },
} as const;

export const giveBackupShare = route({
  ...restore,
  action: 'share',
  summary: "Give one recovery share of the backup's instance, until its keyring opens",
  audit: 'backup.share',
  subject: 'share',
  repeatable: true,
  request: z.object({ id, share: whole.min(1).max(1000), shard }),
  response: z.object({ collected: whole, remaining: whole, repeated: z.boolean() }),
  fails: ['api_not_found', 'shamir_reconstruction_failed'],
});

export const startRestore = route({
  ...restore,
  action: 'start',
  summary: 'Begin to restore a backup that was looked at: nothing else is served until it is through',
  limits: { ...small, deadlineMs: 60_000 },
  audit: 'backup.restore.begin',
  repeatable: true,
  request: z.object({ id, replace: z.boolean('has to be true or false').default(false) }),
  /** Asked again until it is true. */
  response: z.object({ cleared: z.boolean() }),
  fails: ['api_not_found', 'data_invalid_input', 'entity_version_conflict'],
});

export const finishRestore = route({
  ...restore,
  action: 'finish',
  summary: 'End a restore: administrators come back, all sessions end',
  limits: { ...small, deadlineMs: 60_000 },
  audit: 'backup.restore',
  repeatable: false,
  request: z.object({ id }),
  response: z.object({ instance: z.string(), digest, records: whole }),
  fails: ['api_not_found', 'data_invalid_input'],
});

export const abortRestore = route({
  ...restore,
  action: 'abort',
  summary: 'Take a restore back: the store is empty then',
  limits: { ...small, deadlineMs: 60_000 },
  audit: 'backup.abort',
  repeatable: true,
  request: z.object({}),
  /** Asked again until it is true. */
  response: z.object({ done: z.boolean() }),
  fails: ['api_not_found'],
});
