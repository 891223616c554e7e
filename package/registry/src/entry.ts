import { SpiffeError, SpiffeId, TrustDomain } from '@spike/spiffe';
import { z } from 'zod';
import { SpikeError } from '@spike/error';
import { formatSelector, isPartName, parseSelector, selectorTypes } from './selector.ts';

export const maxSelectors = 16;
const longestSelector = 4200;

/** Turns what a parser of ours throws into an issue of the schema, so that a caller sees its sentence. */
function decodeWith<T>(parse: (text: string) => T) {
  return (text: string, context: z.core.ParsePayload): T => {
    try {
      return parse(text);
    } catch (error) {
      const message =
        error instanceof SpikeError || error instanceof SpiffeError ? error.message : 'is not valid';
      context.issues.push({ code: 'custom', message, input: text });
      return z.NEVER;
    }
  };
}

export const selectorSchema = z.codec(
  z.string().max(longestSelector),
  z.strictObject({ type: z.enum(selectorTypes), value: z.string() }).readonly(),
  { decode: decodeWith(parseSelector), encode: formatSelector },
);

/** A SPIFFE ID as text, valid and with a path: an ID without one names a trust domain, not a workload. */
export const spiffeIdSchema = z.string().check((context) => {
  const id = decodeWith((text) => SpiffeId.parse(text))(context.value, context);
  if (context.issues.length > 0) return;
  if (id.path === '') {
    context.issues.push({
      code: 'custom',
      message: 'the ID of a workload has a path',
      input: context.value,
    });
  }
});

/** The name of a trust domain, without a scheme. */
export const trustDomainSchema = z.string().check((context) => {
  const domain = decodeWith((text) => TrustDomain.parse(text))(context.value, context);
  if (context.issues.length > 0 || domain.name === context.value) return;
  context.issues.push({ code: 'custom', message: 'is a name without spiffe://', input: context.value });
});

const mostTrustDomains = 64;

/** Whose bundles a workload gets beside its own. */
export const federatesWithSchema = z.array(trustDomainSchema).max(mostTrustDomains).readonly();

export const entryIdSchema = z
  .string()
  .regex(/^[0-9a-f]{16}$/, 'the id of an entry is 16 hexadecimal digits');

export const partNameSchema = z.string().refine(isPartName, 'is not the name of a part');

/**
 * `operator`: somebody created it. `launcher`: the process that started the authority did, which alone may name
 * parts. `run`: made by `spike authority run` for one process, which gets this ID and no other.
 */
export const entryOrigins = ['operator', 'launcher', 'run'] as const;

export const entrySchema = z
  .strictObject({
    id: entryIdSchema,
    spiffeId: spiffeIdSchema,
    selectors: z.array(selectorSchema).min(1).max(maxSelectors).readonly(),
    createdAt: z.iso.datetime(),
    origin: z.enum(entryOrigins),
    /** Absent in what was written by a release that knew no federation. */
    federatesWith: federatesWithSchema.default([]),
  })
  .readonly();

/** Who gets which SPIFFE ID: a process that has every property that the selectors name. */
export type RegistrationEntry = z.output<typeof entrySchema>;
