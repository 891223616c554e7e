import { chmod, lstat, unlink } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { SpiffeError } from '../error.ts';

/**
 * Listens on a unix socket. A socket file on which nobody listens is what a killed server leaves behind, and is
 * removed. Throws SpiffeError `unavailable` when somebody does listen there, `endpoint_invalid` when the path is not
 * one for a socket. Two servers that start in the same instant on the same stale file are kept apart by nothing: the
 * directory belongs to one of them (0700), and it has a lock of its own if it needs one.
 */
export async function listenOnSocket(server: Server, path: string, mode: number | undefined): Promise<void> {
  await removeStale(path);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen({ path }, () => resolve());
  try {
    await promise;
    if (mode !== undefined) await chmod(path, mode);
  } catch (error) {
    server.close();
    throw new SpiffeError('endpoint_invalid', `no socket can be made at ${path}`, { cause: error });
  } finally {
    server.off('error', reject);
  }
}

async function removeStale(path: string): Promise<void> {
  const entry = await lstat(path).catch(() => undefined);
  if (entry === undefined) return;
  if (!entry.isSocket()) throw new SpiffeError('endpoint_invalid', `${path} exists and is not a socket`);
  if (await isAnswered(path)) throw new SpiffeError('unavailable', `another server listens on ${path}`);
  await unlink(path);
}

async function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const socket = connect({ path });
  socket.once('connect', () => resolve(true));
  socket.once('error', (error) => {
    if ('code' in error && error.code === 'ECONNREFUSED') resolve(false);
    else
      reject(
        new SpiffeError('endpoint_invalid', `it can't be told whether ${path} is in use`, { cause: error }),
      );
  });
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
