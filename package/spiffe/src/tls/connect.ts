import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type SecureContext, type TLSSocket } from 'node:tls';
import { SpiffeError } from '../error.ts';
import { codeOf, judgementOf } from './refusal.ts';

/** Where a server listens. `host` is a name or an address, IPv6 without brackets. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/**
 * A TLS connection that `accept` has agreed to, called in the turn in which the handshake ends and before anybody
 * else has the socket. Rejects with the SpiffeError that `accept` threw, or `connection_failed`, `chain_invalid`;
 * in each case no byte was written that the server could take for a request.
 */
export async function connectVerified<T>(
  target: Target,
  context: SecureContext,
  accept: (socket: TLSSocket, raw: Socket) => T,
  signal: AbortSignal,
): Promise<T> {
  const where = `${target.host}:${target.port}`;
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  let socket: TLSSocket | undefined;
  let accepted = false;
  const raw = connectTcp({ host: target.host, port: target.port, noDelay: true });
  const fail = (error: unknown): void => {
    if (accepted) return;
    reject(explain(error, socket, where));
    // Never both: see VerifiedConnection.reset.
    (socket ?? raw).destroy();
  };
  const abort = (): void => fail(signal.reason);
  const close = (): void => fail(new SpiffeError('connection_failed', `${where} ended the connection`));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  raw.once('error', fail);
  raw.once('close', close);
  raw.once('connect', () => {
    socket = startTls(raw, target, context);
    socket.on('error', fail);
    socket.once('close', close);
    socket.once('secureConnect', () => {
      try {
        if (socket === undefined) return;
        const result = accept(socket, raw);
        // From here on it belongs to whoever accepted it, and what happens to it is for them to see.
        accepted = true;
        // What waits for this must not run inside OpenSSL's handshake callback, where a reset crashes Node.
        setImmediate(() => resolve(result));
      } catch (error) {
        fail(error);
      }
    });
  });
  try {
    return await promise;
  } finally {
    signal.removeEventListener('abort', abort);
    raw.removeListener('close', close);
    socket?.removeListener('close', close);
  }
}

function startTls(raw: Socket, target: Target, context: SecureContext): TLSSocket {
  return connectTls({
    socket: raw,
    secureContext: context,
    rejectUnauthorized: true,
    // An X.509-SVID names a workload and not a host.
    checkServerIdentity: () => undefined,
    // RFC 6066 3: no IP addresses in server_name.
    servername: isIP(target.host) === 0 ? target.host : '',
    ALPNProtocols: ['http/1.1'],
  });
}

function explain(error: unknown, socket: TLSSocket | undefined, where: string): SpiffeError {
  if (error instanceof SpiffeError) return error;
  const judged = socket === undefined ? undefined : judgementOf(socket);
  if (judged !== undefined) {
    return new SpiffeError('chain_invalid', `the certificate of ${where} was refused: ${judged}`, {
      cause: error,
    });
  }
  return new SpiffeError('connection_failed', `cannot connect to ${where}: ${codeOf(error)}`, {
    cause: error,
  });
}
