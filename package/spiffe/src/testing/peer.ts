import { connect as connectTcp } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';

/** A key and a certificate chain as any TLS program has them, hostile ones included. */
export interface TlsCredential {
  readonly cert: string;
  readonly key: string;
}

/**
 * Connects with whatever it is given, asks once over HTTP and tells the status line, or what ended the connection.
 * It believes any server: to be judged is what the server does with us.
 */
export async function knock(
  address: { readonly host: string; readonly port: number },
  options: ConnectionOptions,
): Promise<{ readonly status: string; readonly error: string; readonly resumed: boolean }> {
  const socket = connect({
    ...address,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...options,
  });
  let text = '';
  let error = '';
  let resumed = false;
  socket.on('secureConnect', () => {
    resumed = socket.isSessionReused();
  });
  socket.on('data', (part: Buffer) => {
    text += part.toString('latin1');
    if (text.includes('\r\n')) socket.end();
  });
  socket.on('error', (reason: Error & { code?: string }) => {
    error = reason.code ?? reason.message;
  });
  socket.write('GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n');
  await new Promise((resolve) => socket.once('close', resolve));
  return { status: text.split('\r\n')[0] ?? '', error, resumed };
}

/** Opens a TCP connection that will not speak TLS by itself; resolves with how long it lived when the far side ends it. */
export async function lingerOn(
  address: { readonly host: string; readonly port: number },
  bytes: Uint8Array,
  everyMs: number,
): Promise<number> {
  const started = performance.now();
  const socket = connectTcp(address);
  let at = 0;
  const timer = setInterval(() => {
    if (at < bytes.length) socket.write(bytes.subarray(at, at + 1));
    at += 1;
  }, everyMs);
  socket.on('error', () => {});
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(timer);
  return performance.now() - started;
}
