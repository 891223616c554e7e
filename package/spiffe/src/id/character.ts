// SPIFFE IDs are checked character by character: `new URL()` normalises (case, dots, percent-encoding), so what
// it returns is not what was sent, and two texts that differ could become one identity.

const trustDomainCharacter = table('abcdefghijklmnopqrstuvwxyz0123456789.-_');
const segmentCharacter = table('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_');

function table(allowed: string): readonly boolean[] {
  const row = Array.from({ length: 128 }, () => false);
  for (const character of allowed) row[character.charCodeAt(0)] = true;
  return row;
}

export function isTrustDomainCode(code: number): boolean {
  return trustDomainCharacter[code] === true;
}

export function isSegmentCode(code: number): boolean {
  return segmentCharacter[code] === true;
}
