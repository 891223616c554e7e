import { fromWireValues, toWireValues, type MixedValues } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { readGiven } from '../input/given.ts';
import type { Invocation } from '../invocation.ts';
import { show, showDone } from '../output/show.ts';
import { toPrintable } from '../output/text.ts';
import type { GetFlags, PutFlags } from '../option.ts';
import { openSession } from '../session.ts';

export async function putSecret(
  invocation: Invocation,
  path: string,
  texts: readonly string[],
  flags: PutFlags,
): Promise<void> {
  const wire = toWireValues(await readGiven(texts, flags, invocation));
  await using session = await openSession(invocation, 'superuser');
  const { version } = await session.client.putSecret(
    {
      path: session.path(path),
      values: wire.values,
      ...(wire.encoding === undefined ? {} : { encoding: wire.encoding }),
      ...(flags.cas === undefined ? {} : { cas: flags.cas }),
      ...(flags.maxVersions === undefined ? {} : { maxVersions: flags.maxVersions }),
    },
    session.call,
  );
  await showDone(invocation, 'OK', { path, version });
}

export async function getSecret(
  invocation: Invocation,
  path: string,
  key: string | undefined,
  flags: GetFlags,
): Promise<void> {
  const wanted = wantedKey(key, flags);
  await using session = await openSession(invocation, 'superuser');
  const { data, encoding } = await session.client.getSecret(
    { path: session.path(path), version: flags.version },
    session.call,
  );
  const values = fromWireValues({ values: data, encoding });
  if (flags.raw === true) {
    writeRaw(invocation, valueOf(values, wanted ?? onlyKey(values)), flags.force === true);
  } else if (wanted === undefined) {
    await showValues(invocation, values);
  } else {
    await showValue(invocation, wanted, valueOf(values, wanted));
  }
}

function wantedKey(key: string | undefined, { field }: GetFlags): string | undefined {
  if (key !== undefined && field !== undefined && key !== field)
    throw new SpikeError('data_invalid_input', 'name one value, as an argument or with --field');
  return key ?? field;
}

/** For `--raw` without a key: there is no way to tell where one value ends and the next begins. */
function onlyKey(values: MixedValues): string {
  const [key, ...others] = Object.keys(values);
  if (key !== undefined && others.length === 0) return key;
  throw new SpikeError('data_invalid_input', 'the secret has several values: say which with --field');
}

function writeRaw({ stdout }: Invocation, value: string | Uint8Array, force: boolean): void {
  if (stdout.isTTY && typeof value !== 'string' && !force) {
    throw new SpikeError(
      'data_invalid_input',
      'this value is binary and would upset a terminal; write it to a file (--raw > FILE), into a pipe (--raw | xxd), or say --force',
    );
  }
  stdout.write(value);
}

async function showValues(invocation: Invocation, values: MixedValues): Promise<void> {
  const keys = Object.keys(values).toSorted();
  const binary = keys.filter((key) => typeof values[key] !== 'string');
  await show(invocation, {
    human: (paint) =>
      keys.map((key) => `${paint('bold', `${key}:`)} ${textOf(invocation, values[key] ?? '')}\n`).join(''),
    value: Object.fromEntries(keys.map((key) => [key, plainOf(values[key] ?? '')])),
    yaml: new Map(keys.map((key) => [key, plainOf(values[key] ?? '')])),
    indent: 4,
  });
  noteBinary(invocation, binary);
}

async function showValue(invocation: Invocation, key: string, value: string | Uint8Array): Promise<void> {
  await show(invocation, {
    human: () => `${textOf(invocation, value)}\n`,
    value: plainOf(value),
    indent: 4,
  });
  if (typeof value !== 'string') noteBinary(invocation, [key]);
}

function noteBinary({ settings, stderr }: Invocation, keys: readonly string[]): void {
  if (keys.length === 0 || settings.format !== 'human') return;
  stderr.write(
    `Note: ${keys.join(', ')} is binary and shown as base64; --field KEY --raw writes its bytes.\n`,
  );
}

/** For people: in a terminal without what would act on it, elsewhere exactly as it is. */
function textOf({ stdout }: Invocation, value: string | Uint8Array): string {
  if (typeof value !== 'string') return Buffer.from(value).toString('base64');
  return stdout.isTTY ? toPrintable(value) : value;
}

/** For programs, and what `--from-json` takes back: a text as it is, bytes as an object that says so. */
function plainOf(value: string | Uint8Array): string | { readonly base64: string } {
  return typeof value === 'string' ? value : { base64: Buffer.from(value).toString('base64') };
}

function valueOf(values: MixedValues, key: string): string | Uint8Array {
  const value = Object.hasOwn(values, key) ? values[key] : undefined;
  if (value !== undefined) return value;
  throw new SpikeError(
    'api_not_found',
    `the secret has no value of that key; it has: ${Object.keys(values).join(', ')}`,
  );
}
