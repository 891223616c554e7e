import type { TLSSocket } from 'node:tls';
import { SpiffeError, type SpiffeErrorCode } from '../error.ts';
import type { Refusal } from './server-option.ts';

const crowdedMessages = {
  crowded: 'there are too many connections that are not verified yet',
  full: 'there are too many connections',
  peer: 'this peer has too many connections at work',
  all: 'there are too many connections at work',
};

interface From {
  readonly remoteAddress?: string | undefined;
}

/** The refusals that the server decides before TLS has an opinion. */
export function refusalOf(
  why: 'late' | 'crowded' | 'full' | 'peer' | 'all',
  { remoteAddress }: From = {},
): Refusal {
  if (why === 'late') {
    return { code: 'deadline_exceeded', message: 'the handshake took too long', remoteAddress };
  }
  const message = crowdedMessages[why];
  return { code: 'limit_exceeded', message, remoteAddress };
}

/** Why a handshake failed, which judges no certificate: by Node's or OpenSSL's name for it. */
export function explainHandshake(error: Error, { remoteAddress }: From): Refusal {
  const name = codeOf(error);
  return { code: classify(name), message: `the handshake failed: ${name}`, remoteAddress };
}

/** Why nobody was let in after a handshake: what the verifier or the authorizer has thrown, or what broke there. */
export function explainRefusal(error: unknown, { remoteAddress }: From): Refusal {
  if (error instanceof SpiffeError) return { code: error.code, message: error.message, remoteAddress };
  return { code: 'internal', message: `the peer was not let in: ${codeOf(error)}`, remoteAddress };
}

/** What OpenSSL had against the peer's certificate. Node types it as an Error, and sets it to OpenSSL's name for it. */
export function judgementOf(socket: TLSSocket): string | undefined {
  const judged: unknown = socket.authorizationError;
  return typeof judged === 'string' ? judged : undefined;
}

function classify(name: string): SpiffeErrorCode {
  if (name === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'deadline_exceeded';
  if (name.startsWith('ERR_SSL_')) return 'protocol_invalid';
  return 'connection_failed';
}

/** The code of a Node error, which says enough and holds nothing of the peer's bytes. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.name : 'unknown';
}
