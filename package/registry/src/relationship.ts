import { parseEndpointUrl, SpiffeError } from '@spike/spiffe';
import { z } from 'zod';
import { spiffeIdSchema, trustDomainSchema } from './entry.ts';

/** Of a bundle in the SPIFFE bundle format, in characters: with the rest of a request it stays below its limit. */
const longestBundle = 98_304;

const endpointUrlSchema = z
  .string()
  .max(2_048)
  .check((context) => {
    try {
      parseEndpointUrl(context.value);
    } catch (error) {
      const message = error instanceof SpiffeError ? error.message : 'is not a URL';
      context.issues.push({ code: 'custom', message, input: context.value });
    }
  });

/** Where the bundle of another trust domain is to be had, and how the server there proves that it is the right one. */
export const endpointSchema = z.discriminatedUnion('profile', [
  z.strictObject({ profile: z.literal('https_web'), url: endpointUrlSchema }),
  z.strictObject({ profile: z.literal('https_spiffe'), url: endpointUrlSchema, spiffeId: spiffeIdSchema }),
]);

export type EndpointSetting = z.output<typeof endpointSchema>;

/** What somebody says about another trust domain: its bundle, where to ask for it, or both. */
export const relationshipDraftSchema = z.strictObject({
  trustDomain: trustDomainSchema,
  /** JSON in the SPIFFE bundle format. */
  bundle: z.string().max(longestBundle).optional(),
  endpoint: endpointSchema.optional(),
});

export const relationshipSchema = z
  .strictObject({
    trustDomain: trustDomainSchema,
    endpoint: endpointSchema.optional(),
    /** How many of each are known now; none of either while there is no bundle. */
    x509Authorities: z.int(),
    jwtAuthorities: z.int(),
    /** A number of 64 bits, as text. */
    sequence: z.string().optional(),
    /** Why the last attempt to get a newer one failed. */
    error: z.string().optional(),
  })
  .readonly();

/** Another trust domain, and what is known of it. */
export type Relationship = z.output<typeof relationshipSchema>;
