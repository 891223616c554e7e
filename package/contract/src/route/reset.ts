import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, slow } from '../limit.ts';
import { text, time, unicodeText, whole } from '../schema/field.ts';

const path = '/v1/reset';
const longestPath = 4000;

const counts = z.object({
  secrets: whole,
  versions: whole,
  policies: whole,
  administrators: whole,
});

/** Every row is counted, and Node.js is hashed. */
const limits = { ...slow, deadlineMs: 120_000 };

export const explainReset = route({
  path,
  action: 'explain',
  summary: 'Say what a factory reset would remove, and change nothing',
  guard: { kind: 'administrator', privilege: 'reset.explain' },
  need: 'unlocked',
  limits,
  audit: 'reset.explain',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({}),
  /** `aside` is kept, under another name. The times are those of the newest backup and of the last dry run. */
  response: z.object({
    instance: z.string(),
    counts,
    removes: z.string(),
    aside: z.array(z.object({ what: z.string(), path: z.string() })),
    journal: z.string(),
    newestBackup: time.optional(),
    lastDryRun: time.optional(),
  }),
  error: errorShape({ instance: '' }),
});

export const printReset = route({
  path,
  action: 'print',
  summary: 'Make the script of a factory reset, valid for one instance and one hour, and run nothing',
  guard: { kind: 'administrator', privilege: 'reset.print' },
  need: 'unlocked',
  limits,
  audit: 'reset.print',
  subject: 'instance',
  repeatable: false,
  unknownFields: 'refuse',
  request: z.object({
    /** The one that is meant, typed by a person where there is one. */
    instance: text(64),
    /** Of a backup that its age recipient has opened: the script runs while this very file is there. */
    backup: z
      .object({
        path: unicodeText(longestPath),
        size: whole.min(1),
        sha256: z.string('has to be a text').regex(/^[0-9a-f]{64}$/, 'has to be 64 hexadecimal digits'),
        createdAt: time,
      })
      .optional(),
  }),
  response: z.object({ script: z.string(), keyId: z.string(), expiresAt: time }),
  error: errorShape({ script: '' }),
  fails: ['approval_required'],
});

export const getResetKeys = route({
  path,
  action: 'key',
  summary: 'Tell the public keys that reset scripts are signed with',
  guard: { kind: 'administrator', privilege: 'reset.explain' },
  need: 'unlocked',
  limits: slow,
  audit: 'reset.key',
  repeatable: true,
  unknownFields: 'refuse',
  request: z.object({}),
  /** PEM (SubjectPublicKeyInfo) of Ed25519 keys, the current one first. */
  response: z.object({
    instance: z.string(),
    keys: z.array(z.object({ id: z.string(), publicKey: z.string() })),
  }),
  error: errorShape({ keys: null }),
});
