import { createServer } from 'node:net';

/** Whether a port on loopback is free right now. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    return await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen({ host: '127.0.0.1', port, exclusive: true }, () => resolve(true));
    });
  } finally {
    server.close();
  }
}
