import { SpikeError } from '@spike/error';
import { damaged, decodeRecord, encodeRecord, readNumber, readText } from '../service/record.ts';
import type { Vault } from '../vault/port.ts';
import { parseSubject } from './subject.ts';

/** The book that holds them, in the table of settings. */
export const denialBook = 'denial';

/** One denial as it is stored, sealed. Times are of the clock of sessions, unless they say `wall`. */
export interface DenialRecord {
  /** As `formatSubject` writes it: the name of the denial. */
  readonly subject: string;
  readonly reason: string;
  readonly by: string;
  readonly at: number;
  /** Milliseconds since 1970, of the wall clock of then. */
  readonly wall: number;
  /** When it ends by itself; undefined for one that somebody has to lift. */
  readonly until: number | undefined;
}

/** Whether it still holds. */
export function isInForce({ until }: Pick<DenialRecord, 'until'>, now: number): boolean {
  return until === undefined || now < until;
}

/** Where it lies under the keys of a vault. */
export function denialKey(vault: Pick<Vault, 'key'>, subject: string): Uint8Array {
  return vault.key('setting', [denialBook, subject]);
}

/** Says what it is: a restore takes denials out of a table whose other records stay behind. */
export function encodeDenial({ until, ...rest }: DenialRecord): Uint8Array {
  return encodeRecord({ book: denialBook, ...rest, ...(until === undefined ? {} : { until }) });
}

/** Throws SpikeError `store_integrity`. */
export function decodeDenial(bytes: Uint8Array): DenialRecord {
  const record = decodeRecord(bytes);
  if (record['book'] !== denialBook) throw damaged('a record among the denials is none');
  return {
    subject: readSubject(readText(record, 'subject')),
    reason: readText(record, 'reason'),
    by: readText(record, 'by'),
    at: readNumber(record, 'at'),
    wall: readNumber(record, 'wall'),
    until: record['until'] === undefined ? undefined : readNumber(record, 'until'),
  };
}

/** Whether this is one, of the records of its table. */
export function isDenial(bytes: Uint8Array): boolean {
  return decodeRecord(bytes)['book'] === denialBook;
}

function readSubject(text: string): string {
  try {
    parseSubject(text);
    return text;
  } catch (cause) {
    throw cause instanceof SpikeError ? damaged('a denial is of no SPIFFE ID', cause) : cause;
  }
}
