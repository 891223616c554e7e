const mostCharacters = 250;

/** The rule of wire.md 4 for names of policies and keys of values: 1 to 250 of letters, digits, space, `-` and `_`. */
export function isName(text: string): boolean {
  if (text.length === 0 || text.length > mostCharacters) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const ok =
      (code >= 0x61 && code <= 0x7a) ||
      (code >= 0x41 && code <= 0x5a) ||
      (code >= 0x30 && code <= 0x39) ||
      code === 0x20 ||
      code === 0x2d ||
      code === 0x5f;
    if (!ok) return false;
  }
  return true;
}

export const nameRule = 'has 1 to 250 characters, of letters, digits, space, - and _';
