import { mostSecretBytes, type MixedValues } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { PutFlags } from '../option.ts';
import type { Settings } from '../setting.ts';
import { parseEnvFile } from './env-file.ts';
import { readSmallFile } from './file.ts';
import { decode, readBytes } from './hidden.ts';
import { parseValues } from './json.ts';
import { readValues, type Terminal } from './value.ts';

type Values = ReadonlyMap<string, string | Uint8Array>;

/** JSON may write one byte as six, and base64 three as four. */
const mostTextBytes = 6 * mostSecretBytes;

/** All values that a put is given, wherever they stand. Throws `data_invalid_input` for a key that is given twice, and for none. */
export async function readGiven(
  texts: readonly string[],
  flags: PutFlags,
  terminal: Terminal & { readonly settings: Settings },
): Promise<MixedValues> {
  checkInputs(texts, flags);
  const sources: readonly Values[] = [
    await readValues(texts, terminal),
    ...(await readText(flags.fromEnvFile, terminal, parseEnvFile)),
    ...(await readText(flags.fromJson, terminal, parseValues)),
  ];
  const values = Object.create(null) as Record<string, string | Uint8Array>;
  for (const [key, value] of sources.flatMap((source) => [...source])) {
    if (Object.hasOwn(values, key))
      throw new SpikeError('data_invalid_input', `the key ${key} is given twice`);
    values[key] = value;
  }
  // What a program before us in the pipe failed to write would otherwise take the place of everything that is there.
  if (Object.keys(values).length === 0)
    throw new SpikeError('data_invalid_input', 'there is no value in what was given; nothing was sent');
  const binary = Object.keys(values).filter((key) => typeof values[key] !== 'string');
  if (binary.length > 0 && terminal.settings.format === 'human') {
    terminal.stderr.write(`Note: ${binary.join(', ')} is not UTF-8 text and is stored as bytes (base64).\n`);
  }
  return values;
}

function checkInputs(texts: readonly string[], { fromEnvFile, fromJson }: PutFlags): void {
  if (texts.length === 0 && fromEnvFile === undefined && fromJson === undefined) {
    throw new SpikeError(
      'data_invalid_input',
      'missing required argument: give key=value, key=- or key=@file, or --from-env-file or --from-json',
    );
  }
  const isFromInput = texts.some((text) => text.endsWith('=-') && text.indexOf('=') === text.length - 2);
  const inputs = [isFromInput, fromEnvFile === '-', fromJson === '-'].filter(Boolean);
  if (inputs.length > 1)
    throw new SpikeError('data_invalid_input', 'only one of the sources can be standard input');
}

async function readText(
  file: string | undefined,
  { stdin, deadline }: Terminal,
  parse: (text: string, where: string) => Values,
): Promise<readonly Values[]> {
  if (file === undefined) return [];
  const where = file === '-' ? 'standard input' : file;
  const bytes =
    file === '-'
      ? await deadline.pauseFor(() => readBytes(stdin, mostTextBytes))
      : await readSmallFile(file, mostTextBytes);
  return [parse(decode(bytes, where), where)];
}
