import { SpikeError } from '@spike/error';

/** In code points, as NIST SP 800-63B counts. Configuration may ask for more, never for less (admin.md A2). */
export const passwordFloor = { length: 14, score: 3 } as const;
export const longestPassword = 128;
/** NFKC makes of one code point at most 18. */
const mostUnits = longestPassword * 2 * 18;

/** No password holds these, whatever the letters' case. */
const ownNames: readonly string[] = ['spike'];
/** Shorter names are in too many words. */
const shortestName = 3;

export interface PasswordPolicy {
  /** Code points, 14 to 128. */
  readonly minLength: number;
  /** Of zxcvbn, 3 or 4. */
  readonly minScore: number;
}

/**
 * The one spelling that is judged and hashed: NFKC, so that a password can be typed on another keyboard. A text that is
 * no Unicode, or too long to be a password in any spelling, becomes undefined.
 */
export function normalizePassword(text: string): string | undefined {
  if (text.length > mostUnits || !text.isWellFormed()) return undefined;
  const normal = text.normalize('NFKC');
  return countPoints(normal) > longestPassword ? undefined : normal;
}

/** Throws SpikeError `password_weak`, which names the rule and never the password. Returns it normalised. */
export function checkPasswordForm(text: string, user: string, policy: PasswordPolicy): string {
  if (!text.isWellFormed()) refuse('is Unicode text; this one holds half of a surrogate pair');
  const normal = normalizePassword(text);
  if (normal === undefined) refuse(`has at most ${longestPassword} characters`);
  if (countPoints(normal) < policy.minLength) refuse(`has at least ${policy.minLength} characters`);
  const folded = fold(normal);
  if (ownNames.some((name) => folded.includes(name))) refuse('does not contain the word spike');
  if (user.length >= shortestName && folded.includes(fold(user))) refuse('does not contain the user name');
  return normal;
}

export function fold(text: string): string {
  // Upper case first: it makes ß and its like the letters that they are written as elsewhere.
  return text.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKC');
}

export function refuse(rule: string): never {
  throw new SpikeError('password_weak', `the password is refused: a password ${rule}`);
}

function countPoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
