import { SpikeError } from '@spike/error';

/** A recovery share as people keep it: its id and its 32 bytes. */
export interface RecoveryShare {
  readonly id: number;
  readonly value: readonly number[];
}

const shareBytes = 32;
const prefix = 'spike:';
const digits = 2 * shareBytes;
/** As many shares as a split may have on the wire. */
const highestId = 1000;

/** `spike:<id>:<64 hexadecimal digits>`, the form of the Go original. */
export function formatShare(share: RecoveryShare): string {
  if (share.value.length !== shareBytes) throw new RangeError('a share has 32 bytes');
  return `${prefix}${share.id}:${Buffer.from(share.value).toString('hex')}`;
}

/**
 * Reads that form; white space around it is taken off, and digits may be in capitals. Throws `data_invalid_input` with
 * what is wrong about it, without repeating what was typed.
 */
export function parseShare(text: string): RecoveryShare {
  const typed = text.trim();
  const problem = problemOf(typed);
  if (problem !== undefined) throw new SpikeError('data_invalid_input', problem);
  const [, id = '', hex = ''] = typed.split(':');
  return { id: Number(id), value: [...Buffer.from(hex, 'hex')] };
}

function problemOf(typed: string): string | undefined {
  if (typed === '') return 'no recovery share was given';
  if (typed.startsWith('age-encryption.org/') || typed.startsWith('-----BEGIN'))
    return 'this recovery share is encrypted: decrypt it first';
  if (!typed.startsWith(prefix))
    return `a recovery share looks like ${prefix}1:… with ${digits} hexadecimal digits at the end; this begins otherwise`;
  if (typed.indexOf(prefix, 1) > 0) return 'these are several recovery shares: give one at a time';
  const [, id = '', hex, ...rest] = typed.split(':');
  if (hex === undefined || rest.length > 0)
    return `a recovery share has three parts with colons between them, ${prefix}1:…; copy it again from its file`;
  if (!/^[1-9]\d*$/.test(id) || Number(id) > highestId)
    return `the number of a recovery share, between its colons, is a whole number from 1 to ${highestId}`;
  if (!/^[0-9a-f]*$/i.test(hex))
    return 'there is something else than hexadecimal digits in this recovery share; copy it again from its file';
  if (hex.length !== digits)
    return `this recovery share ends in ${hex.length} hexadecimal digits instead of ${digits}; copy it again from its file`;
  if (/^0*$/.test(hex)) return 'this recovery share is nothing but zeros, which no share is';
  return undefined;
}
