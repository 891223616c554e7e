import { z } from 'zod';
import { route } from '../define.ts';
import { auditPage, errorShape, small } from '../limit.ts';
import { text, time, whole } from '../schema/field.ts';

/*
 * Reading the audit. A line is the text of one record, byte for byte: its hash is a leaf of the log. A tenant_admin sees
 * the lines of his tenant's paths and his own, and is given no copy of the whole.
 */

const path = '/v1/audit';
const guard = { kind: 'administrator', privilege: 'audit.read' } as const;
const mostLines = 1_000;
/** Of a tree beyond any size that a log can have. */
const mostHashes = 64;
const outcomes = ['ok', 'denied', 'failed'] as const;

const sequence = whole.min(0);
const limit = whole.min(1).max(mostLines).default(100);
/** Base64 of 32 bytes. */
const hash = z.string().length(44);
const hashes = z.array(hash).max(mostHashes);
const line = z.string();
const note = z.string();

const common = {
  path,
  guard,
  need: 'unlocked',
  repeatable: true,
  unknownFields: 'refuse',
} as const;

export const tailAudit = route({
  ...common,
  action: 'tail',
  summary: 'The newest lines of the audit, or those from `after` on',
  limits: auditPage,
  audit: 'audit.tail',
  request: z.object({ after: sequence.optional(), limit }),
  /** `next` is what to ask for to go on. */
  response: z.object({ lines: z.array(line), next: whole }),
  error: errorShape({ lines: null, next: 0 }),
});

export const searchAudit = route({
  ...common,
  action: 'search',
  summary: 'Lines of the audit that fit all of what is asked, from a place on',
  limits: auditPage,
  audit: 'audit.search',
  request: z.object({
    from: sequence.default(0),
    limit,
    since: time.optional(),
    until: time.optional(),
    administrator: text(256).optional(),
    spiffeId: text(2048).optional(),
    /** A whole name, or what stands before its dot. */
    action: text(64).optional(),
    /** A path, or a directory that it lies below. */
    path: text(500).optional(),
    outcome: z.enum(outcomes, 'has to be ok, denied or failed').optional(),
    trail: text(64).optional(),
  }),
  /** A bounded number of lines is looked at: a short page with `next` is normal, and the last one has none. */
  response: z.object({ lines: z.array(line), next: whole.optional() }),
  error: errorShape({ lines: null }),
});

export const checkpointAudit = route({
  ...common,
  action: 'checkpoint',
  summary: 'A signed checkpoint of the audit as it is now, to keep',
  limits: small,
  audit: 'audit.checkpoint',
  request: z.object({}),
  response: z.object({ checkpoint: note }),
  error: errorShape({ checkpoint: '' }),
  fails: ['store_integrity'],
});

export const proveRecord = route({
  ...common,
  action: 'prove',
  summary: 'Prove that a line is in the audit, by a signed checkpoint and the hashes that lead to it',
  limits: auditPage,
  audit: 'audit.prove',
  subject: 'sequence',
  request: z.object({ sequence }),
  response: z.object({ line, hashes, checkpoint: note }),
  error: errorShape({ line: '', hashes: null, checkpoint: '' }),
  fails: ['api_not_found', 'store_integrity'],
});

export const proveConsistency = route({
  ...common,
  action: 'consistency',
  summary: 'Prove that the audit of `size` lines is the beginning of that of now',
  limits: small,
  audit: 'audit.consistency',
  subject: 'size',
  request: z.object({ size: sequence }),
  response: z.object({ hashes, checkpoint: note }),
  error: errorShape({ hashes: null, checkpoint: '' }),
  fails: ['api_not_found', 'store_integrity'],
});

export const exportAudit = route({
  ...common,
  action: 'export',
  summary: 'Copy the audit, page by page',
  limits: auditPage,
  audit: 'audit.export',
  subject: 'from',
  request: z.object({ from: sequence.default(0), limit: whole.min(1).max(mostLines).default(mostLines) }),
  /**
   * `first` is the first line that is still there, and where the lines begin when less was asked for; `edge` are the
   * hashes of the whole subtrees before the first of them. `size` is that of the log.
   */
  response: z.object({ lines: z.array(line), next: whole, first: whole, edge: hashes, size: whole }),
  error: errorShape({ lines: null, next: 0, first: 0, edge: null, size: 0 }),
});

const handover = z.object({ sequence, line, note, hashes });

export const auditKey = route({
  ...common,
  action: 'key',
  summary: 'The key that signs checkpoints, and how those before it handed over',
  limits: auditPage,
  audit: 'audit.key.read',
  request: z.object({}),
  response: z.object({ key: z.string(), handovers: z.array(handover) }),
  error: errorShape({ key: '', handovers: null }),
});

export const rotateAuditKey = route({
  ...common,
  action: 'rotate',
  summary: 'Give the audit a new key, which the one of now announces',
  guard: { kind: 'administrator', privilege: 'audit.rotate' },
  limits: { ...small, deadlineMs: 60_000 },
  audit: 'audit.key.rotate',
  repeatable: false,
  request: z.object({}),
  /** Not `announced`: the checkpoint that both keys sign could not be written, and is made as soon as one can be. */
  response: z.object({ key: z.string(), previous: z.string(), announced: z.boolean() }),
  error: errorShape({ key: '', previous: '', announced: false }),
  fails: ['store_integrity', 'entity_version_conflict'],
});

const access = z.object({
  spiffeId: z.string(),
  administrator: z.string().optional(),
  action: z.string(),
  path: z.string().optional(),
  outcome: z.string(),
  count: whole,
  lastTime: z.string(),
});

export const reviewAudit = route({
  ...common,
  action: 'review',
  summary: 'Who read what since the last review, added up over a part of the audit',
  limits: auditPage,
  audit: 'audit.review.read',
  request: z.object({ from: sequence.optional() }),
  /** `next` is where to go on; the last page has none, and its `to` is how far the review went. */
  response: z.object({
    rows: z.array(access),
    from: whole,
    to: whole,
    next: whole.optional(),
    last: z.object({ to: whole, time, administrator: z.string() }).optional(),
  }),
  error: errorShape({ rows: null, from: 0, to: 0 }),
});

export const finishReview = route({
  ...common,
  action: 'reviewed',
  summary: 'Note that the access up to a place in the audit was reviewed',
  guard: { kind: 'administrator', privilege: 'audit.review' },
  limits: small,
  audit: 'audit.review',
  subject: 'to',
  repeatable: false,
  request: z.object({ to: sequence }),
  response: z.object({}),
  error: errorShape(),
  fails: ['entity_version_conflict'],
});

export const verifyAudit = route({
  ...common,
  action: 'verify',
  summary: 'Hash every line of the audit again and compare it with what was signed',
  limits: { ...auditPage, deadlineMs: 600_000 },
  audit: 'audit.verify',
  request: z.object({}),
  response: z.object({ ok: z.boolean(), size: whole, first: whole, problems: z.array(z.string()) }),
  error: errorShape({ ok: false, size: 0, first: 0, problems: null }),
});
