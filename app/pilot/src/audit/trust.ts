import { join } from 'node:path';
import { openCheckpoint, VerifierKey } from '@spike/audit';
import { ensurePrivateDirectory, homeOf, readPrivateFile, writePrivateFile } from '@spike/config';
import { SpikeError } from '@spike/error';
import type { Invocation } from '../invocation.ts';

/** A key that signs no longer. */
export interface EarlierKey {
  readonly key: string;
  /** Of how many lines the log was when both keys signed it; undefined where nobody kept that. */
  readonly handedOverAt?: number;
}

/** What this person knows of one log, from somewhere else than what the log is compared with. */
export interface KnownLog {
  /** The key that signs it, as text. */
  readonly key: string;
  /** Those that handed over to it, oldest first: what they signed until then stays good. */
  readonly earlier?: readonly EarlierKey[];
  /** The last checkpoint that was seen. */
  readonly checkpoint?: string;
}

/** By the origin of each log. */
export type Trust = ReadonlyMap<string, KnownLog>;

const mostBytes = 1024 * 1024;

/** Where it is kept, for people to copy and to look at. */
export function trustFile({ env }: Pick<Invocation, 'env'>): string {
  return join(homeOf(env).root, 'pilot', 'audit.json');
}

/** Throws SpikeError `fs_unsafe` when others may write the file, and `data_invalid_input` when it is damaged. */
export async function readTrust(invocation: Pick<Invocation, 'env'>): Promise<Trust> {
  const path = trustFile(invocation);
  const bytes = await readPrivateFile(path, mostBytes);
  if (bytes === undefined) return new Map();
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    const logs = typeof value === 'object' && value !== null ? Object.entries(value) : [];
    return new Map(logs.map(([origin, log]) => [origin, parseLog(origin, log)]));
  } catch (cause) {
    const message = `${path} is damaged: put it back, or move it away and pin the audit's key anew`;
    throw new SpikeError('data_invalid_input', message, { cause });
  }
}

/**
 * Keeps the key of a log that was told by somebody who has it for certain, as `init` does. Throws SpikeError
 * `entity_version_conflict` when another one is kept for this log, unless it is to be replaced.
 */
export async function pinAuditKey(
  invocation: Pick<Invocation, 'env'>,
  text: string,
  options: { readonly replace?: boolean } = {},
): Promise<VerifierKey> {
  const key = VerifierKey.parse(text);
  const trust = await readTrust(invocation);
  const known = trust.get(key.name);
  if (known?.key === key.toString()) return key;
  if (known !== undefined && options.replace !== true) {
    throw new SpikeError(
      'entity_version_conflict',
      `another key is kept for the audit of ${key.name}; find out why it changed, then pin this one with --replace`,
    );
  }
  await remember(invocation, key.name, { key: key.toString() });
  return key;
}

export async function remember(
  invocation: Pick<Invocation, 'env'>,
  origin: string,
  log: KnownLog,
): Promise<void> {
  const trust = new Map(await readTrust(invocation));
  trust.set(origin, log);
  const root = homeOf(invocation.env).root;
  await ensurePrivateDirectory(root);
  await ensurePrivateDirectory(join(root, 'pilot'));
  await writePrivateFile(trustFile(invocation), `${JSON.stringify(Object.fromEntries(trust), null, 2)}\n`);
}

function parseLog(origin: string, value: unknown): KnownLog {
  if (typeof value !== 'object' || value === null) throw new TypeError('no log');
  const text: unknown = Reflect.get(value, 'key');
  const note: unknown = Reflect.get(value, 'checkpoint');
  const earlier = parseEarlier(origin, Reflect.get(value, 'earlier'));
  if (typeof text !== 'string') throw new TypeError('no key');
  const key = VerifierKey.parse(text);
  if (key.name !== origin) throw new TypeError('the key of another log');
  if (note === undefined) return { key: text, ...earlier };
  if (typeof note !== 'string') throw new TypeError('no checkpoint');
  openCheckpoint(note, key);
  return { key: text, ...earlier, checkpoint: note };
}

function parseEarlier(origin: string, value: unknown): Pick<KnownLog, 'earlier'> {
  if (value === undefined) return {};
  if (!Array.isArray(value)) throw new TypeError('no list of keys');
  return { earlier: value.map((one: unknown) => parseEarlierKey(origin, one)) };
}

function parseEarlierKey(origin: string, value: unknown): EarlierKey {
  const isObject = typeof value === 'object' && value !== null;
  // A text alone was written before sizes were kept.
  const key: unknown = isObject ? Reflect.get(value, 'key') : value;
  const size: unknown = isObject ? Reflect.get(value, 'handedOverAt') : undefined;
  if (typeof key !== 'string' || VerifierKey.parse(key).name !== origin) throw new TypeError('no key of it');
  if (size === undefined) return { key };
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 1) throw new TypeError('no size');
  return { key, handedOverAt: size };
}
