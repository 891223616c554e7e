import { z } from 'zod';
import { administratorRoles } from '../privilege.ts';

const namePattern = '^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$';
const nameShape = new RegExp(namePattern);
const nameRule =
  'has 1 to 64 characters, of small letters, digits, . _ and -, with a letter or digit at both ends';

/**
 * The name of an administrator. NFKC first, so that what a keyboard writes in full width is the same name; then an
 * alphabet in which no two letters look alike to a person who knows only one of them.
 */
export function normalizeName(text: string): string | undefined {
  const normal = text.length > 256 || !text.isWellFormed() ? '' : text.normalize('NFKC');
  return nameShape.test(normal) ? normal : undefined;
}

const normalize = (text: string, context: z.core.ParsePayload): string => {
  const normal = normalizeName(text);
  if (normal !== undefined) return normal;
  context.issues.push({ code: 'custom', message: nameRule, input: undefined });
  return z.NEVER;
};

export const administratorName = z.codec(
  z
    .string('has to be a text')
    .meta({ pattern: namePattern, minLength: 1, maxLength: 64, examples: ['alice'] }),
  z.string(),
  { decode: normalize, encode: normalize },
);

/** What NFKC can make of 128 code points, and more; the service knows the rules, and what refuses a login says none. */
const mostCharacters = 8192;

export const password = z
  .string('has to be a text')
  .max(mostCharacters, 'is too long')
  .meta({ format: 'password', minLength: 1 });

export const role = z.enum(administratorRoles, 'has to be a role: ' + administratorRoles.join(', '));

/** The first part of a token's secret-free half: names a session and opens nothing. */
export const accessor = z
  .string('has to be a text')
  .regex(/^[a-z2-7]{16}$/, 'has to be an accessor of 16 letters and digits');
