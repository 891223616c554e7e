import { SpikeError } from '@spike/error';

/** A recovery share as people keep it: its id and its 32 bytes. */
export interface RecoveryShare {
  readonly id: number;
  readonly value: readonly number[];
}

const shareBytes = 32;
const shape = /^spike:([1-9]\d{0,3}):([0-9a-f]{64})$/;

/** `spike:<id>:<64 hexadecimal digits>`, the form of the Go original. */
export function formatShare(share: RecoveryShare): string {
  if (share.value.length !== shareBytes) throw new RangeError('a share has 32 bytes');
  return `spike:${share.id}:${Buffer.from(share.value).toString('hex')}`;
}

/** Reads that form; white space around it is taken off. Throws `data_invalid_input`, without repeating what was typed. */
export function parseShare(text: string): RecoveryShare {
  const match = shape.exec(text.trim());
  const [, id, hex] = match ?? [];
  if (id === undefined || hex === undefined) {
    throw new SpikeError(
      'data_invalid_input',
      'a recovery share looks like spike:1:… with 64 hexadecimal digits at the end; copy it again from its file',
    );
  }
  return { id: Number(id), value: [...Buffer.from(hex, 'hex')] };
}
