import { realpath, stat, writeFile } from 'node:fs/promises';
import { writePrivateFile } from '@spike/config';
import { SpikeError } from '@spike/error';
import type { Invocation } from '../invocation.ts';

/**
 * Writes to standard output, or, with a path, to a file that others cannot read: whole or not at all, so that what was
 * there stays as it was when something fails. Where a link points its target is replaced; a device or a pipe is written to.
 */
export async function writeResult(
  { stdout }: Invocation,
  path: string | undefined,
  result: Uint8Array | string,
): Promise<void> {
  if (path === undefined) {
    stdout.write(result);
    return;
  }
  try {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) await writePrivateFile(path, result);
    else if (found.isFile()) await writePrivateFile(await realpath(path), result);
    else await writeFile(path, result);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    throw new SpikeError('data_invalid_input', `${path} cannot be written: ${code}`, { cause: error });
  }
}
