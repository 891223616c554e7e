import type { TLSSocket } from 'node:tls';
import { SpiffeError } from '../error.ts';
import { verifyX509Svid, type VerifiedPeer } from '../x509/verify.ts';
import type { X509BundleSet } from '../x509/bundle-set.ts';
import { longestChain } from '../x509/svid.ts';
import { judge, type Authorizer } from './authorizer.ts';
import { judgementOf } from './refusal.ts';

interface PeerOptions {
  readonly as: 'client' | 'server';
  /** OpenSSL was given these bundles, and has to have found a chain, too; true unless told otherwise. */
  readonly isFiltered?: boolean;
}

/**
 * Who is at the other end of a socket whose handshake has just ended: judged by our verifier and then by the
 * authorizer, before anything else happens on it. Throws SpiffeError; the caller destroys the socket then.
 */
export function verifyPeer(
  socket: TLSSocket,
  bundles: X509BundleSet,
  authorize: Authorizer,
  { as, isFiltered = true }: PeerOptions,
): VerifiedPeer {
  const chain = readPresentedChain(socket);
  if (isFiltered && !socket.authorized)
    throw new SpiffeError(
      'chain_invalid',
      `the certificate of the peer was refused: ${judgementOf(socket) ?? 'it was not verified'}`,
    );
  if (socket.isSessionReused())
    throw new SpiffeError('protocol_invalid', 'a resumed session proves no identity');
  if (socket.getProtocol() !== 'TLSv1.3')
    throw new SpiffeError('protocol_invalid', 'only TLS 1.3 is spoken here');
  const peer = verifyX509Svid(chain, bundles, { as });
  judge(authorize, peer);
  return peer;
}

/**
 * The certificates that the peer sent, leaf first. `getPeerCertificate(true)` would add the issuer that was found
 * in our own store, which the peer never showed.
 */
function readPresentedChain(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate !== undefined) {
    if (chain.length === longestChain)
      throw new SpiffeError('chain_invalid', 'the peer sent too many certificates');
    chain.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  if (chain.length === 0) throw new SpiffeError('peer_missing', 'the peer showed no certificate');
  return chain;
}

/** The key exchange that a client connection agreed on; Node tells a server nothing about it. */
export function readGroup(socket: TLSSocket): string {
  const info = socket.getEphemeralKeyInfo();
  return info !== null && 'name' in info && typeof info.name === 'string' ? info.name : 'unknown';
}
