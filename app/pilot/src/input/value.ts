import { mostSecretBytes } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { Invocation } from '../invocation.ts';
import { readSmallFile } from './file.ts';
import { decodeText, promptHidden, readBytes } from './hidden.ts';

/** What values are read from and warned on. */
export type Terminal = Pick<Invocation, 'stdin' | 'stderr' | 'deadline'>;

type Source =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'input' }
  | { readonly kind: 'file'; readonly path: string };

interface Assignment {
  readonly key: string;
  readonly source: Source;
}

/** One `key=value`, `key=-` or `key=@file`; undefined when there is no `=`. */
export function parseAssignment(text: string): Assignment | undefined {
  const at = text.indexOf('=');
  if (at < 0) return undefined;
  const key = text.slice(0, at);
  const value = text.slice(at + 1);
  if (value === '-') return { key, source: { kind: 'input' } };
  if (value.startsWith('@')) return { key, source: { kind: 'file', path: value.slice(1) } };
  return { key, source: { kind: 'literal', text: value } };
}

/**
 * Reads the values of `secret put`. A value in the arguments draws a warning in a terminal, since other processes and
 * the shell's history see it. Throws `data_invalid_input` for anything that is not `key=…`, before anything is sent.
 */
export async function readValues(
  texts: readonly string[],
  terminal: Terminal,
): Promise<ReadonlyMap<string, string | Uint8Array>> {
  const assignments = texts.map((text, index) => {
    const assignment = parseAssignment(text);
    if (assignment !== undefined && assignment.key !== '') return assignment;
    // The text itself may be a secret that lost its key, so the message counts instead of repeating it.
    throw new SpikeError(
      'data_invalid_input',
      `value ${index + 1} is not of the form key=value, key=- or key=@file`,
    );
  });
  const fromInput = assignments.filter(({ source }) => source.kind === 'input');
  if (fromInput.length > 1 && !terminal.stdin.isTTY) {
    throw new SpikeError(
      'data_invalid_input',
      'only one value can come from standard input; use key=@file for others',
    );
  }
  const literal = assignments.filter(({ source }) => source.kind === 'literal');
  if (literal.length > 0 && terminal.stderr.isTTY) {
    const keys = literal.map(({ key }) => key).join(', ');
    terminal.stderr.write(
      `Warning: the value of ${keys} was visible to other processes and may be in your shell's history; write key=- instead.\n`,
    );
  }
  const values = new Map<string, string | Uint8Array>();
  for (const { key, source } of assignments) {
    if (values.has(key)) throw new SpikeError('data_invalid_input', `the key ${key} is given twice`);
    values.set(key, await readSource(key, source, terminal));
  }
  return values;
}

async function readSource(key: string, source: Source, terminal: Terminal): Promise<string | Uint8Array> {
  switch (source.kind) {
    case 'literal':
      return source.text;
    case 'file': {
      const bytes = await readSmallFile(source.path, mostSecretBytes);
      return decodeText(bytes) ?? bytes;
    }
    case 'input':
      return await readInput(key, terminal);
  }
}

/** From a hidden prompt, or all of a pipe: a text without the line break at its end, or bytes as they are. */
async function readInput(key: string, { stdin, stderr, deadline }: Terminal): Promise<string | Uint8Array> {
  if (stdin.isTTY)
    return await deadline.pauseFor(() => promptHidden(`${key}: `, stdin, stderr, deadline.signal));
  const bytes = await deadline.pauseFor(() => readBytes(stdin, mostSecretBytes));
  return decodeText(bytes)?.replace(/\r?\n$/, '') ?? bytes;
}
