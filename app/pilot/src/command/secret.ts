import { toValueMap, type ValueMap } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { readValues } from '../input/value.ts';
import type { Invocation } from '../invocation.ts';
import { parseFormat, toJson, toYaml } from '../output/format.ts';
import type { FormatOptions } from '../option.ts';
import { openSession } from '../session.ts';

export async function putSecret(
  invocation: Invocation,
  path: string,
  texts: readonly string[],
): Promise<void> {
  const values = Object.create(null) as Record<string, string>;
  for (const [key, value] of await readValues(texts, invocation)) values[key] = value;
  const checked = toValueMap(values);
  await using session = await openSession(invocation, 'superuser');
  await session.client.putSecret(
    { path: session.path(path), values: checked },
    { signal: invocation.signal },
  );
  invocation.stdout.write('OK\n');
}

export async function getSecret(
  invocation: Invocation,
  path: string,
  key: string | undefined,
  options: FormatOptions & { readonly version: number },
): Promise<void> {
  const format = parseFormat(options.format);
  await using session = await openSession(invocation, 'superuser');
  const request = { path: session.path(path), version: options.version };
  const { data } = await session.client.getSecret(request, { signal: invocation.signal });
  const shown = key === undefined ? data : valueOf(data, key);
  switch (format) {
    case 'json':
      invocation.stdout.write(toJson(shown, 4));
      return;
    case 'yaml':
      invocation.stdout.write(
        await toYaml(typeof shown === 'string' ? shown : new Map(Object.entries(shown))),
      );
      return;
    case 'human':
      if (typeof shown === 'string') invocation.stdout.write(`${shown}\n`);
      else
        for (const name of Object.keys(shown).toSorted())
          invocation.stdout.write(`${name}: ${shown[name]}\n`);
  }
}

export async function listSecrets(invocation: Invocation, options: FormatOptions): Promise<void> {
  const format = parseFormat(options.format);
  await using session = await openSession(invocation, 'superuser');
  const { keys } = await session.client.listSecrets({}, { signal: invocation.signal });
  switch (format) {
    case 'json':
      invocation.stdout.write(toJson(keys, 2));
      return;
    case 'yaml':
      invocation.stdout.write(await toYaml(keys));
      return;
    case 'human':
      invocation.stdout.write(
        keys.length === 0 ? 'No secrets found.\n' : keys.map((path) => `- ${path}\n`).join(''),
      );
  }
}

export async function deleteSecret(
  invocation: Invocation,
  path: string,
  versions: readonly number[],
): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  await session.client.deleteSecret(
    { path: session.path(path), versions: [...versions] },
    { signal: invocation.signal },
  );
  invocation.stdout.write('OK\n');
}

function valueOf(data: ValueMap, key: string): string {
  const value = Object.hasOwn(data, key) ? data[key] : undefined;
  if (value !== undefined) return value;
  throw new SpikeError(
    'api_not_found',
    `the secret has no value of that key; it has: ${Object.keys(data).join(', ')}`,
  );
}
