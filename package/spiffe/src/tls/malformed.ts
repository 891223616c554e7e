import type { Socket } from 'node:net';

/** How long a peer that sent no request may take to read that it did not. */
const lingerMs = 1000;

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  408: 'Request Timeout',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
};

/** What is answered to bytes that Node's parser gave up on; `undefined` when the connection is gone. */
export function faultStatus(code: string): number | undefined {
  if (code === 'HPE_HEADER_OVERFLOW') return 431;
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return 413;
  if (isLate(code)) return 408;
  return code.startsWith('HPE_') || code === 'HTTP_CONNECT' ? 400 : undefined;
}

/** Headers or a body did not come in time: nothing is wrong with what came. */
export function isLate(code: string): boolean {
  return code === 'ERR_HTTP_REQUEST_TIMEOUT';
}

/** Says a bare status and ends the connection, whether it is read or not. */
export function endWith(socket: Socket, status: number): void {
  const timer = setTimeout(() => socket.destroy(), lingerMs);
  socket.once('close', () => clearTimeout(timer));
  socket.end(`HTTP/1.1 ${status} ${reasons[status] ?? ''}\r\nConnection: close\r\n\r\n`, () =>
    socket.destroy(),
  );
}
