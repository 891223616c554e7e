import { SpikeError } from '@spike/error';
import type { Pattern } from './pattern.ts';
import type { Programs } from './program.ts';

/** Paths that stand for powers over the system itself (wire.md 5). */
export const reservedPaths = ['spike/system/acl', 'spike/system/secret', 'spike/system/cipher/exec'] as const;

const reserved: ReadonlySet<string> = new Set(reservedPaths);

export function isReserved(path: string): boolean {
  return reserved.has(path);
}

/** Only a policy whose SPIFFE ID pattern has both anchors counts for a reserved path. */
export function isAnchored(spiffePattern: string): boolean {
  return spiffePattern.startsWith('^') && /(?:^|[^\\])(?:\\\\)*\$$/.test(spiffePattern);
}

/**
 * Refuses a policy that would reach a reserved path by accident: through a part of its path pattern, or for an
 * identity that is not spelled out to both ends. The original looks at the first reserved path that it finds, and
 * so does this. Throws `data_invalid_input`.
 */
export function checkReserved(spiffePattern: Pattern, pathPattern: Pattern, programs: Programs): void {
  const found = pathPattern.findIn(reservedPaths, programs);
  if (found === undefined) return;
  if (!pathPattern.matches(found, programs)) {
    throw new SpikeError(
      'data_invalid_input',
      `the path pattern matches a part of the reserved path ${found}; write the whole path, or a pattern that stays away from it`,
    );
  }
  if (!isAnchored(spiffePattern.source)) {
    throw new SpikeError(
      'data_invalid_input',
      `the path pattern includes the reserved path ${found}; then the SPIFFE ID pattern must begin with ^ and end with $`,
    );
  }
}
