import type { ReadStream } from 'node:tty';
import { SpikeError } from '@spike/error';

const maxBytes = 1_048_576;
const interrupt = 0x03;
const endOfInput = 0x04;
const backspaces: readonly number[] = [0x08, 0x7f];
const lineEnds: readonly number[] = [0x0a, 0x0d];

/** Asks at the terminal without showing what is typed; what was typed is wiped from our buffers afterwards. */
export async function promptHidden(
  question: string,
  input: ReadStream,
  output: NodeJS.WritableStream,
): Promise<string> {
  output.write(question);
  const typed: number[] = [];
  input.setRawMode(true);
  try {
    // Leaving the loop must not close the terminal: there may be another question.
    for await (const chunk of input.iterator({ destroyOnReturn: false })) {
      const bytes: Uint8Array = Buffer.from(chunk);
      for (const byte of bytes) {
        if (byte === interrupt) throw new SpikeError('data_invalid_input', 'interrupted; nothing was sent');
        if (lineEnds.includes(byte) || byte === endOfInput) return Buffer.from(typed).toString('utf8');
        if (backspaces.includes(byte)) removeCharacter(typed);
        else if (typed.length < maxBytes) typed.push(byte);
      }
      bytes.fill(0);
    }
    return Buffer.from(typed).toString('utf8');
  } finally {
    typed.fill(0);
    input.setRawMode(false);
    input.pause();
    output.write('\n');
  }
}

/** One character may be several bytes of UTF-8: those that begin with the bits 10 belong to the one before. */
function removeCharacter(typed: number[]): void {
  let byte = typed.pop();
  while (byte !== undefined && (byte & 0xc0) === 0x80) byte = typed.pop();
}

/** All of standard input, without one line break at its end. Throws `data_invalid_input` above 1 MiB or for bytes that are not UTF-8. */
export async function readPiped(input: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > maxBytes) throw new SpikeError('data_invalid_input', 'standard input is larger than 1 MiB');
    chunks.push(bytes);
  }
  return decode(Buffer.concat(chunks), 'standard input').replace(/\r?\n$/, '');
}

export function decode(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new SpikeError('data_invalid_input', `${where} is not UTF-8 text`, { cause: error });
  }
}
