import { open } from 'node:fs/promises';
import { SpikeError } from '@spike/error';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'you may not read it',
  EISDIR: 'it is a directory',
};

/** All of a file that a person named, a device or a pipe included. Throws `data_invalid_input` above the limit. */
export async function readSmallFile(path: string, maxBytes: number): Promise<Uint8Array> {
  const buffer = Buffer.alloc(maxBytes + 1);
  const size = await fill(path, buffer);
  if (size <= maxBytes) return buffer.subarray(0, size);
  buffer.fill(0);
  throw new SpikeError('data_invalid_input', `${path} is larger than ${maxBytes} bytes`);
}

async function fill(path: string, buffer: Uint8Array): Promise<number> {
  try {
    await using file = await open(path, 'r');
    let size = 0;
    while (size < buffer.length) {
      const { bytesRead } = await file.read(buffer, size);
      if (bytesRead === 0) break;
      size += bytesRead;
    }
    return size;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    throw new SpikeError('data_invalid_input', `${path} cannot be read: ${reasons[code] ?? code}`, {
      cause: error,
    });
  }
}
