import { z } from 'zod';
import { route } from '../define.ts';
import { errorShape, small } from '../limit.ts';
import { base64, text, whole } from '../schema/field.ts';

const path = '/v1/bootstrap/verify';
const nonceBytes = 12;
const mostCiphertext = 32 * 1024;

/** B1: Nexus shows that it has the root key, which ends the ceremony. */
export const verifyBootstrap = route({
  path,
  action: '',
  summary: 'Prove that Nexus holds the root key that Bootstrap made',
  guard: { kind: 'role', anyOf: ['bootstrap'] },
  need: 'ceremony',
  limits: small,
  audit: 'bootstrap.verify',
  repeatable: true,
  unknownFields: 'ignore',
  request: z.object({
    nonce: base64(nonceBytes)
      .refine((nonce) => nonce.length === nonceBytes, 'has to be 12 bytes')
      .meta({ minLength: 16 }),
    ciphertext: base64(mostCiphertext),
    /** Of a Bootstrap that took one; without it every Keeper must hold a share, and nobody else's lease may run. */
    lease: text(256).optional(),
  }),
  response: z.object({ hash: z.string() }),
  error: errorShape({ hash: '' }),
  fails: ['state_already_initialized', 'shamir_reconstruction_failed'],
});

/** The lease of the ceremony (design.md 3); `lease` renews the one that it names. */
export const beginBootstrap = route({
  path,
  action: 'begin',
  summary: 'Take or renew the lease of the Bootstrap ceremony',
  guard: { kind: 'role', anyOf: ['bootstrap'] },
  need: 'any',
  limits: small,
  audit: 'bootstrap.begin',
  repeatable: false,
  unknownFields: 'refuse',
  request: z.object({ lease: text(256).optional() }),
  response: z.object({ instance: z.string(), lease: z.string(), expiresInMs: whole }),
  error: errorShape({ instance: '', lease: '', expiresInMs: 0 }),
  fails: ['state_already_initialized', 'bootstrap_lease_held'],
});
