import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  checkPrivateDirectory,
  ensurePrivateDirectory,
  homeOf,
  readPrivateFile,
  writePrivateFile,
  type Environment,
} from '@spike/config';
import { SpikeError } from '@spike/error';

/** The session of whoever runs this command here. */
export interface KeptToken {
  /** The Nexus that made it: no other one is shown it. */
  readonly url: string;
  readonly administrator: string;
  /** RFC 3339; for people. */
  readonly expiresAt: string;
  readonly token: string;
}

const maxBytes = 16_384;

/** Throws SpikeError `fs_unsafe` where others could read or replace it. */
export async function writeToken(env: Environment, kept: KeptToken): Promise<string> {
  const { tokenFile } = homeOf(env);
  await ensurePrivateDirectory(dirname(tokenFile));
  await writePrivateFile(tokenFile, `${JSON.stringify(kept, null, 2)}\n`);
  return tokenFile;
}

/** Undefined when there is none. Throws SpikeError `fs_unsafe` where others could read or replace it, before it is read. */
export async function readToken(env: Environment): Promise<KeptToken | undefined> {
  const { tokenFile } = homeOf(env);
  if ((await checkPrivateDirectory(dirname(tokenFile))) === undefined) return undefined;
  const bytes = await readPrivateFile(tokenFile, maxBytes);
  if (bytes === undefined) return undefined;
  try {
    return parseKept(JSON.parse(bytes.toString('utf8')));
  } catch {
    // Its text is a secret, and the error of the parser would repeat some of it.
    throw new SpikeError(
      'config_invalid',
      `${tokenFile} is not one of this release: log in again with spike login`,
    );
  } finally {
    bytes.fill(0);
  }
}

export async function removeToken(env: Environment): Promise<void> {
  await rm(homeOf(env).tokenFile, { force: true });
}

function parseKept(value: unknown): KeptToken {
  const text = (name: string): string => {
    const found: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
    if (typeof found !== 'string') throw new TypeError(name);
    return found;
  };
  return {
    url: text('url'),
    administrator: text('administrator'),
    expiresAt: text('expiresAt'),
    token: text('token'),
  };
}
