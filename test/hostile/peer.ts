import assert from 'node:assert/strict';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import type { Address } from './part.ts';

/** How a conversation ended: always with the far side closing, or the test fails. */
export interface Ending {
  readonly text: string;
  readonly error: string;
  readonly ms: number;
  readonly resumed: boolean;
}

/** Above every deadline of a server; what is open still is a leak. */
const patienceMs = 45_000;

/** Lets OpenSSL load keys that are too small, so that it is the server that refuses them. */
const weakest = 'DEFAULT:@SECLEVEL=0';

/** Speaks TLS with whatever it is given and believes any server: to be judged is what the server does with us. */
export async function talk(
  address: Address,
  options: ConnectionOptions,
  act: (socket: TLSSocket) => void,
): Promise<Ending> {
  const socket = connectTls({
    ...address,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ciphers: weakest,
    ...options,
  });
  let resumed = false;
  socket.on('secureConnect', () => {
    resumed = socket.isSessionReused();
  });
  return { ...(await listenOn(socket, () => act(socket))), resumed };
}

/** A connection that does not speak TLS by itself. */
export async function talkTcp(address: Address, act: (socket: Socket) => void): Promise<Ending> {
  const socket = connectTcp(address);
  return { ...(await listenOn(socket, () => act(socket))), resumed: false };
}

async function listenOn(socket: Socket, act: () => void): Promise<Pick<Ending, 'text' | 'error' | 'ms'>> {
  const started = performance.now();
  let text = '';
  let error = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    text += part;
  });
  socket.on('error', (reason: Error & { code?: string }) => {
    error = reason.code ?? reason.message;
  });
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    socket.destroy();
  }, patienceMs);
  act();
  await new Promise((resolve) => socket.once('close', resolve));
  clearTimeout(timer);
  assert.ok(!isLate, `the server left a connection open for ${patienceMs} ms`);
  return { text, error, ms: performance.now() - started };
}

/** Writes piece after piece for as long as the far side lets it. */
export function drip(socket: Socket, everyMs: number, next: () => string | Uint8Array): void {
  const timer = setInterval(() => {
    if (socket.writable) socket.write(next());
  }, everyMs);
  socket.once('close', () => clearInterval(timer));
}

/** The same without a pause, as fast as the far side reads. */
export function flood(socket: Socket, piece: Uint8Array): void {
  const pour = (): void => {
    while (socket.writable && socket.write(piece));
  };
  socket.on('drain', pour);
  pour();
}

export interface RequestText {
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string | number>>;
}

export function toRequest({ path, body = '{}', headers = {} }: RequestText): string {
  const all = { Host: 'test', 'Content-Length': Buffer.byteLength(body), Connection: 'close', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

/** The status of the first answer; 0 when there was none. */
export function statusOf({ text }: Pick<Ending, 'text'>): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(text)?.[1] ?? 0);
}
