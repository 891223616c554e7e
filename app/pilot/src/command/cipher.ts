import {
  decodeBase64,
  encodeBase64,
  formatEnvelope,
  parseEnvelope,
  parseJson,
  type CipherEnvelope,
} from '@spike/contract';
import { SpikeError } from '@spike/error';
import { readSmallFile } from '../input/file.ts';
import { readBytes } from '../input/hidden.ts';
import type { Invocation } from '../invocation.ts';
import type { CipherFiles, DecryptFlags, EncryptFlags } from '../option.ts';
import { writeResult } from '../output/file.ts';
import { toJson, toYaml } from '../output/format.ts';
import { openSession } from '../session.ts';

/** Nexus takes no larger request. */
const maxInputBytes = 1_048_576;
const brace = 0x7b;

interface Parts {
  readonly version: string | undefined;
  readonly nonce: string | undefined;
  readonly ciphertext: string | undefined;
}

/** As one piece of bytes; with `--plaintext`, or where a format is asked for, as its parts in base64. */
export async function encrypt(invocation: Invocation, flags: EncryptFlags): Promise<void> {
  const { format } = invocation.settings;
  const inParts = flags.plaintext !== undefined || format !== 'human';
  if (!inParts && flags.out === undefined && invocation.stdout.isTTY)
    throw new SpikeError(
      'data_invalid_input',
      'what comes out are bytes that a terminal cannot show: write them with --out <file>, or ask for --format json',
    );
  const plaintext =
    flags.plaintext === undefined
      ? await readInput(invocation, flags)
      : base64('--plaintext', flags.plaintext);
  await using session = await openSession(invocation, 'superuser');
  const envelope = await session.client.encrypt({ plaintext }, { signal: invocation.signal });
  const result = inParts ? await describe(envelope, format) : formatEnvelope(envelope);
  await writeResult(invocation, flags.out, result);
}

/** Takes every form that `encrypt` writes for programs: the piece of bytes, the JSON, and the parts as flags. */
export async function decrypt(invocation: Invocation, flags: DecryptFlags): Promise<void> {
  const { version, nonce, ciphertext } = flags;
  const inParts = version !== undefined || nonce !== undefined || ciphertext !== undefined;
  const envelope = inParts
    ? fromParts({ version, nonce, ciphertext })
    : parse(await readInput(invocation, flags));
  await using session = await openSession(invocation, 'superuser');
  const { plaintext } = await session.client.decrypt(envelope, { signal: invocation.signal });
  await writeResult(invocation, flags.out, plaintext);
}

async function readInput({ stdin }: Invocation, { file }: CipherFiles): Promise<Uint8Array> {
  return file === undefined
    ? await readBytes(stdin, maxInputBytes)
    : await readSmallFile(file, maxInputBytes);
}

async function describe(envelope: CipherEnvelope, format: 'human' | 'json' | 'yaml'): Promise<string> {
  const shown = {
    version: envelope.version,
    nonce: encodeBase64(envelope.nonce),
    ciphertext: encodeBase64(envelope.ciphertext),
  };
  if (format === 'json') return toJson(shown, 2);
  if (format === 'yaml') return await toYaml(shown);
  return Object.entries(shown)
    .map(([name, value]) => `${name}: ${value}\n`)
    .join('');
}

/** No piece of bytes begins with a brace: its first byte is the version. */
function parse(input: Uint8Array): CipherEnvelope {
  if (input[0] !== brace) return parseEnvelope(input);
  const json = parseJson(input);
  const fields = new Map(typeof json === 'object' && json !== null ? Object.entries(json) : []);
  const text = (name: string): string | undefined => {
    const value: unknown = fields.get(name);
    return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
  };
  return fromParts({ version: text('version'), nonce: text('nonce'), ciphertext: text('ciphertext') });
}

function fromParts(parts: Parts): CipherEnvelope {
  const { version = '1', nonce, ciphertext } = parts;
  if (version !== '1')
    throw new SpikeError('data_invalid_input', 'the version is 1, the only one that there is');
  if (nonce === undefined || ciphertext === undefined)
    throw new SpikeError(
      'data_invalid_input',
      'both nonce and ciphertext are needed, as encrypt printed them',
    );
  return { version: 1, nonce: base64('nonce', nonce), ciphertext: base64('ciphertext', ciphertext) };
}

function base64(name: string, text: string): Uint8Array {
  const bytes = decodeBase64(text.trim());
  if (bytes === undefined) throw new SpikeError('data_invalid_input', `${name} is not padded base64`);
  return bytes;
}
