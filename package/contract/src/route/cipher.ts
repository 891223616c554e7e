import { z } from 'zod';
import { formatEnvelope, nonceBytes, parseEnvelope, version } from '../cipher-envelope.ts';
import { route } from '../define.ts';
import { cipher, errorShape } from '../limit.ts';
import { base64, text } from '../schema/field.ts';

/** Above what a Nexus can be told to take: that it says itself, in a sentence of its own. */
const mostBytes = cipher.octets;
const guard = {
  kind: 'policy',
  action: 'execute',
  at: 'spike/system/cipher/exec',
  privilege: 'cipher.use',
  roles: ['lite'],
} as const;

const envelope = {
  version: z.literal(version, `has to be ${version}, the only one that there is`),
  nonce: base64(nonceBytes)
    .refine((nonce) => nonce.length === nonceBytes, `has to be ${nonceBytes} bytes`)
    .meta({ minLength: 16 }),
  ciphertext: base64(mostBytes),
};
/** The original has the field and does nothing with it. */
const algorithm = text(256).optional();

export const encrypt = route({
  path: '/v1/cipher/encrypt',
  action: '',
  summary: 'Encrypt bytes with a key that never leaves Nexus; nothing is stored',
  guard,
  need: 'unlocked',
  limits: cipher.limits,
  audit: 'cipher.encrypt',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({ plaintext: base64(mostBytes).default(() => new Uint8Array()), algorithm }),
  response: z.object(envelope),
  error: errorShape({ version: 0, nonce: null, ciphertext: null }),
  octets: {
    parseRequest: (plaintext) => ({ plaintext }),
    formatRequest: ({ plaintext }) => plaintext,
    parseResponse: parseEnvelope,
    formatResponse: formatEnvelope,
  },
});

export const decrypt = route({
  path: '/v1/cipher/decrypt',
  action: '',
  summary: 'Decrypt what this Nexus has encrypted',
  guard,
  need: 'unlocked',
  limits: cipher.limits,
  audit: 'cipher.decrypt',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({ ...envelope, algorithm }),
  response: z.object({ plaintext: base64(mostBytes) }),
  error: errorShape({ plaintext: null }),
  fails: ['crypto_decryption_failed'],
  octets: {
    parseRequest: parseEnvelope,
    formatRequest: formatEnvelope,
    parseResponse: (plaintext) => ({ plaintext }),
    formatResponse: ({ plaintext }) => plaintext,
  },
});
