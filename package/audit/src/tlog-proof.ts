import { openCheckpoint, type SignedCheckpoint } from './checkpoint.ts';
import { malformed } from './error.ts';
import { decodeBase64, type VerifierKey } from './note.ts';
import { verifyInclusion } from './proof.ts';
import { hashBytes } from './tree.ts';

/*
 * That a line is in a log, as one text that verifies without the log (c2sp.org/tlog-proof). The line itself stands in
 * it as the extra data.
 */

const firstLine = 'c2sp.org/tlog-proof@v1';
const longestProof = 8 * 1024 * 1024;
const mostHashes = 64;

export interface LineProof {
  readonly sequence: number;
  readonly line: string;
  readonly path: readonly Uint8Array[];
  /** The checkpoint's whole text. */
  readonly note: string;
}

export function formatLineProof({ sequence, line, path, note }: LineProof): string {
  const head = [firstLine, `extra ${Buffer.from(line).toString('base64')}`, `index ${sequence}`];
  const hashes = path.map((hash) => Buffer.from(hash).toString('base64'));
  return `${[...head, ...hashes].join('\n')}\n\n${note}`;
}

/** Throws SpikeError `data_invalid_input`. What it answers is well-formed and not yet verified. */
export function parseLineProof(text: string): LineProof {
  const end = text.indexOf('\n\n');
  const [first, extra = '', index = '', ...hashes] = text.slice(0, Math.max(0, end)).split('\n');
  const line = extra.startsWith('extra ') ? decodeBase64(extra.slice('extra '.length)) : undefined;
  const sequence = /^index (0|[1-9][0-9]{0,15})$/u.exec(index)?.[1];
  const path = hashes.map((hash) => decodeBase64(hash) ?? new Uint8Array());
  const fits = text.length <= longestProof && path.length <= mostHashes;
  if (!fits || first !== firstLine || line === undefined || sequence === undefined) throw broken();
  if (path.some((hash) => hash.byteLength !== hashBytes)) throw broken();
  return {
    sequence: Number(sequence),
    line: Buffer.from(line).toString('utf8'),
    path,
    note: text.slice(end + 2),
  };
}

/** The line and the checkpoint that it is in, which this key signed. Throws SpikeError `data_invalid_input`. */
export function openLineProof(
  text: string,
  key: VerifierKey,
): { readonly sequence: number; readonly line: string; readonly checkpoint: SignedCheckpoint } {
  const { sequence, line, path, note } = parseLineProof(text);
  const checkpoint = openCheckpoint(note, key);
  if (!verifyInclusion({ index: sequence, bytes: Buffer.from(line) }, checkpoint, path)) {
    throw malformed('is a proof that does not lead to its checkpoint');
  }
  return { sequence, line, checkpoint };
}

function broken(): Error {
  return malformed('is no proof of a line in an audit');
}
