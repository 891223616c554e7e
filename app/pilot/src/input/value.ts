import { SpikeError } from '@spike/error';
import { readSmallFile } from './file.ts';
import { decode, promptHidden, readPiped } from './hidden.ts';

export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stderr: NodeJS.WriteStream;
}

type Source =
  | { readonly kind: 'literal'; readonly text: string }
  | { readonly kind: 'input' }
  | { readonly kind: 'file'; readonly path: string };

/** Nexus takes no larger request. */
const maxValueBytes = 1_048_576;

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
): Promise<ReadonlyMap<string, string>> {
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
  const values = new Map<string, string>();
  for (const { key, source } of assignments) {
    if (values.has(key)) throw new SpikeError('data_invalid_input', `the key ${key} is given twice`);
    values.set(key, await readSource(key, source, terminal));
  }
  return values;
}

async function readSource(key: string, source: Source, terminal: Terminal): Promise<string> {
  switch (source.kind) {
    case 'literal':
      return source.text;
    case 'file':
      return decode(await readSmallFile(source.path, maxValueBytes), source.path);
    case 'input':
      return terminal.stdin.isTTY
        ? await promptHidden(`${key}: `, terminal.stdin, terminal.stderr)
        : await readPiped(terminal.stdin);
  }
}
