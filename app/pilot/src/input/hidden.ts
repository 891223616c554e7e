import type { ReadStream } from 'node:tty';
import { SpikeError } from '@spike/error';
import { Interruption } from '../deadline.ts';

const maxBytes = 1_048_576;
const interrupt = 0x03;
const endOfInput = 0x04;
const backspaces: readonly number[] = [0x08, 0x7f];
const lineEnds: readonly number[] = [0x0a, 0x0d];

/**
 * Asks at the terminal without showing what is typed; what was typed is wiped from our buffers afterwards. Ctrl-C and the
 * signal end it, with an `Interruption` and the signal's reason. Throws `data_invalid_input` for what is not UTF-8, for
 * more than 1 MiB, and for several lines in one piece: of a key that was pasted, the first one would be taken for all.
 */
export async function promptHidden(
  question: string,
  input: ReadStream,
  output: NodeJS.WritableStream,
  signal: AbortSignal,
): Promise<string> {
  signal.throwIfAborted();
  const typed: number[] = [];
  const ended = Promise.withResolvers<never>();
  const end = (): void => ended.reject(signal.reason);
  signal.addEventListener('abort', end, { once: true });
  input.setRawMode(true);
  // Its end must not close the terminal: there may be another question.
  const chunks = input.iterator({ destroyOnReturn: false });
  try {
    // Now that nothing is shown any more: whoever answers at once is not seen either.
    output.write(question);
    for (;;) {
      const next: IteratorResult<unknown> = await Promise.race([chunks.next(), ended.promise]);
      if (next.done === true) break;
      if (takeTyped(Buffer.from(next.value as Uint8Array), typed)) break;
    }
    return decode(Uint8Array.from(typed), 'what was typed');
  } finally {
    signal.removeEventListener('abort', end);
    typed.fill(0);
    // Not waited for: after a signal it is behind a chunk that never comes.
    void chunks.return?.();
    input.setRawMode(false);
    input.pause();
    output.write('\n');
  }
}

/** Adds to what was typed, and wipes the chunk. Answers whether the line has ended. */
function takeTyped(chunk: Uint8Array, typed: number[]): boolean {
  try {
    for (const [at, byte] of chunk.entries()) {
      if (byte === interrupt) throw new Interruption('SIGINT');
      if (byte === endOfInput) return true;
      if (lineEnds.includes(byte)) {
        if (chunk.subarray(at + 1).every((rest) => lineEnds.includes(rest))) return true;
        throw new SpikeError(
          'data_invalid_input',
          'several lines were pasted, and one is read here: use key=@file, or standard input for a single value',
        );
      }
      if (backspaces.includes(byte)) removeCharacter(typed);
      else if (typed.push(byte) > maxBytes)
        throw new SpikeError('data_invalid_input', `what was typed is longer than ${maxBytes} bytes`);
    }
    return false;
  } finally {
    chunk.fill(0);
  }
}

/** One character may be several bytes of UTF-8: those that begin with the bits 10 belong to the one before. */
function removeCharacter(typed: number[]): void {
  let byte = typed.pop();
  while (byte !== undefined && (byte & 0xc0) === 0x80) byte = typed.pop();
}

/** All of standard input as it is. Throws `data_invalid_input` above the limit, 1 MiB unless told. */
export async function readBytes(input: NodeJS.ReadableStream, mostBytes = maxBytes): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > mostBytes)
      throw new SpikeError('data_invalid_input', `standard input is larger than ${mostBytes} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/**
 * All of standard input, without one line break at its end; what was read is wiped from our buffers. Throws
 * `data_invalid_input` above the limit or for bytes that are not UTF-8.
 */
export async function readPiped(input: NodeJS.ReadableStream, mostBytes: number): Promise<string> {
  const bytes = await readBytes(input, mostBytes);
  try {
    return decode(bytes, 'standard input').replace(/\r?\n$/, '');
  } finally {
    bytes.fill(0);
  }
}

export function decode(bytes: Uint8Array, where: string): string {
  const text = decodeText(bytes);
  if (text !== undefined) return text;
  throw new SpikeError('data_invalid_input', `${where} is not UTF-8 text`);
}

/** Undefined for bytes that are not UTF-8. A byte order mark stays. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
