import { SpikeError } from '@spike/error';
import { promptHidden } from '../input/hidden.ts';
import type { Invocation } from '../invocation.ts';

/** A token has 83 characters. */
const mostBytes = 1_024;

/**
 * The first line of standard input; what stands behind it is left for the command. In a terminal it is asked for. Throws
 * SpikeError `data_invalid_input` for none.
 */
export async function readTokenLine({ stdin, stderr, deadline, signal }: Invocation): Promise<string> {
  const line = await deadline.pauseFor(() =>
    stdin.isTTY ? promptHidden('Token: ', stdin, stderr, signal) : readLine(stdin),
  );
  const token = line.trim();
  if (token !== '') return token;
  throw new SpikeError(
    'data_invalid_input',
    '--token-stdin wants a token in the first line of standard input',
  );
}

async function readLine(stream: NodeJS.ReadStream): Promise<string> {
  let read = Buffer.alloc(0);
  while (!read.includes(0x0a) && read.length <= mostBytes) {
    const chunk: unknown = stream.read();
    if (chunk !== null) read = Buffer.concat([read, Buffer.from(chunk as Uint8Array)]);
    else if (!(await hasMore(stream))) break;
  }
  const end = read.indexOf(0x0a);
  if (end < 0) return read.toString('utf8');
  if (end + 1 < read.length) stream.unshift(read.subarray(end + 1));
  return read.subarray(0, end).toString('utf8');
}

/** Waits until there is something to read, or the end. */
async function hasMore(stream: NodeJS.ReadStream): Promise<boolean> {
  if (stream.readableEnded) return false;
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const more = (): void => resolve(true);
  const end = (): void => resolve(false);
  stream.once('readable', more).once('end', end).once('error', reject);
  try {
    return await promise;
  } finally {
    stream.off('readable', more).off('end', end).off('error', reject);
  }
}
