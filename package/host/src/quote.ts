import { SpikeError } from '@spike/error';

/**
 * A value as one word of POSIX sh, whatever is in it: between single quotes nothing has a meaning but the quote itself
 * (POSIX.1-2024, XCU 2.2.2). Every value that is printed for a shell goes through here. Throws `data_invalid_input` for a NUL, which
 * no path and no word can have, and for text that is no Unicode.
 */
export function quote(value: string): string {
  if (value.includes('\0') || !value.isWellFormed())
    throw new SpikeError(
      'data_invalid_input',
      'a value for a shell has a character that no word of one can have',
    );
  return `'${value.replaceAll("'", String.raw`'\''`)}'`;
}
