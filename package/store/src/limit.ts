import { SpikeError, untilLater } from '@spike/error';
import {
  maxBodyBytes,
  maxCommitBytes,
  maxCommitOps,
  maxHeadBytes,
  maxKeyBytes,
  maxListRows,
  maxNonceBytes,
  tables,
  type Expect,
  type ListOptions,
  type Op,
  type Row,
  type Table,
} from './store.ts';

const clearNumbers = ['format', 'suite', 'term', 'revision', 'version', 'field'] as const;

/** Throws `data_invalid_input` unless every operation keeps to the limits, so that all drivers refuse the same things. */
export function checkOps(ops: readonly Op[]): void {
  if (ops.length > maxCommitOps) refuse(`a commit holds at most ${String(maxCommitOps)} operations`);
  let bytes = 0;
  for (const op of ops) {
    checkExpect(op.expect);
    switch (op.kind) {
      case 'put':
        checkTable(op.table);
        checkRow(op.row);
        bytes += op.row.key.byteLength + op.row.nonce.byteLength + op.row.body.byteLength;
        break;
      case 'delete':
        checkTable(op.table);
        checkKey(op.key);
        bytes += op.key.byteLength;
        break;
      case 'head':
        checkNumber('head revision', op.revision);
        if (op.bytes.byteLength > maxHeadBytes) refuse('the head is too large');
        bytes += op.bytes.byteLength;
        break;
    }
  }
  if (bytes > maxCommitBytes) refuse(`a commit holds at most ${String(maxCommitBytes)} bytes`);
}

export function checkKey(key: Uint8Array): void {
  if (key.byteLength === 0 || key.byteLength > maxKeyBytes)
    refuse(`a row key has 1 to ${String(maxKeyBytes)} bytes`);
}

export function checkTable(table: Table): void {
  if (!tables.includes(table)) refuse('there is no such table');
}

export function checkList(prefix: Uint8Array, options: ListOptions): void {
  if (prefix.byteLength > maxKeyBytes) refuse('the prefix is longer than a row key can be');
  if (options.after !== undefined && options.after.byteLength > maxKeyBytes) {
    refuse('the cursor is longer than a row key can be');
  }
  if (!Number.isSafeInteger(options.limit) || options.limit < 1 || options.limit > maxListRows) {
    refuse(`a list has 1 to ${String(maxListRows)} rows`);
  }
  const { bytes = 1 } = options;
  if (!Number.isSafeInteger(bytes) || bytes < 1) refuse('a list has at least one byte');
}

/** What a row counts for in the size of a page. */
export function sizeOfRow(row: Row): number {
  return row.key.byteLength + row.nonce.byteLength + row.body.byteLength;
}

function checkRow(row: Row): void {
  checkKey(row.key);
  for (const name of clearNumbers) checkNumber(name, row[name]);
  if (row.nonce.byteLength > maxNonceBytes) refuse('the nonce is too long');
  if (row.body.byteLength > maxBodyBytes) refuse(`a sealed body has at most ${String(maxBodyBytes)} bytes`);
}

function checkExpect(expect: Expect): void {
  if (typeof expect === 'object') checkNumber('expected revision', expect.revision);
}

function checkNumber(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) refuse(`${name} must be a whole number from 0 to 2^53 - 1`);
}

/** Each keeps what is written over meanwhile, so they do not pile up. */
export function anotherSnapshot(): SpikeError {
  return new SpikeError(
    'limit_exceeded',
    'another backup of this store is being made: wait for its end',
    untilLater,
  );
}

function refuse(message: string): never {
  throw new SpikeError('data_invalid_input', `store: ${message}`);
}
