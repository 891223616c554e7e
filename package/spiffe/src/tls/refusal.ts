import type { TLSSocket } from 'node:tls';
import { SpiffeError, type SpiffeErrorCode } from '../error.ts';
import type { Refusal } from './server-option.ts';

const crowdedMessages = {
  crowded: 'there are too many connections that are not verified yet',
  full: 'there are too many connections',
  peer: 'this peer has too many connections at work',
  all: 'there are too many connections at work',
};

/** The refusals that the server decides before TLS has an opinion. */
export function refusalOf(
  why: 'late' | 'crowded' | 'full' | 'peer' | 'all',
  from: { readonly remoteAddress?: string | undefined } = {},
): Refusal {
  const remoteAddress = from.remoteAddress;
  if (why === 'late') {
    return { code: 'deadline_exceeded', message: 'the handshake took too long', remoteAddress };
  }
  const message = crowdedMessages[why];
  return { code: 'limit_exceeded', message, remoteAddress };
}

/** Why a handshake failed: what we threw, what OpenSSL said about the chain, or what it said about the protocol. */
export function explainRefusal(error: unknown, socket: TLSSocket): Refusal {
  const remoteAddress = socket.remoteAddress;
  if (error instanceof SpiffeError) return { code: error.code, message: error.message, remoteAddress };
  const judged = judgementOf(socket);
  if (judged !== undefined) {
    return {
      code: 'chain_invalid',
      message: `the certificate of the peer was refused: ${judged}`,
      remoteAddress,
    };
  }
  const name = codeOf(error);
  return { code: classify(name), message: `the handshake failed: ${name}`, remoteAddress };
}

/** What OpenSSL had against the peer's certificate. Node types it as an Error, and sets it to OpenSSL's name for it. */
export function judgementOf(socket: TLSSocket): string | undefined {
  const judged: unknown = socket.authorizationError;
  return typeof judged === 'string' ? judged : undefined;
}

function classify(name: string): SpiffeErrorCode {
  if (name === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'peer_missing';
  if (name === 'ERR_TLS_HANDSHAKE_TIMEOUT') return 'deadline_exceeded';
  if (name.startsWith('ERR_SSL_')) return 'protocol_invalid';
  return 'connection_failed';
}

/** The code of a Node error, which says enough and holds nothing of the peer's bytes. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return error instanceof Error ? error.name : 'unknown';
}
