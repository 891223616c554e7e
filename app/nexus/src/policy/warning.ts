import type { Policy } from './policy.ts';

/**
 * Sentences for somebody who wrote a policy with the original's rules in mind: there, a pattern needs only to be
 * found somewhere in a path or in an ID. Structure decides, so a pattern that is closed in a roundabout way may
 * get a warning that it does not deserve.
 */
export function describePitfalls(policy: Policy): readonly string[] {
  const warnings: string[] = [];
  const { path, spiffe } = policy;
  if (!path.closedLeft || !path.closedRight) {
    warnings.push(
      `the path pattern must match a whole path here; the Go SPIKE would find it ${openEnds(path.closedLeft, path.closedRight)} a longer path. ` +
        'Write ^ before it and $ behind it if the whole path is meant, or .* where more may stand.',
    );
  }
  // An ID holds `spiffe://` only at its start, so the left end is closed by itself.
  if (!spiffe.closedRight) {
    warnings.push(
      'the SPIFFE ID pattern must match a whole ID here; the Go SPIKE would also match every ID that begins with it. ' +
        'Write $ behind it if the whole ID is meant, or .* where more may follow.',
    );
  }
  if (path.prefixes.every((prefix) => prefix.startsWith('/')) || path.exact?.endsWith('/') === true) {
    warnings.push(
      'paths have no slash at either end when they are compared, so this path pattern matches nothing.',
    );
  }
  return warnings;
}

function openEnds(closedLeft: boolean, closedRight: boolean): string {
  if (closedLeft) return 'at the start of';
  if (closedRight) return 'at the end of';
  return 'anywhere in';
}
