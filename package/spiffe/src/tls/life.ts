import type { VerifiedPeer } from '../x509/verify.ts';
import type { X509Svid } from '../x509/svid.ts';

/**
 * How long a connection may live: the shorter of both SVIDs' lives. Each SVID counts by itself, so a
 * long one that ends early and a short one that ends late are both respected. Milliseconds since the epoch.
 */
export interface ConnectionLife {
  /** 90 %: a client writes no new request, a server says `Connection: close`. */
  readonly retireAt: number;
  /** 95 %: a server closes what idles. Later than the client, so that a request never crosses a close. */
  readonly closeIdleAt: number;
  /** The connection is reset. */
  readonly expireAt: number;
}

export function measureLife(own: X509Svid, peer: VerifiedPeer): ConnectionLife {
  const spans = [
    { from: own.notBefore.getTime(), to: own.notAfter.getTime() },
    { from: peer.leaf.notBefore.getTime(), to: peer.notAfter.getTime() },
  ];
  const at = (share: number): number =>
    Math.min(...spans.map(({ from, to }) => from + Math.max(0, to - from) * share));
  return { retireAt: at(0.9), closeIdleAt: at(0.95), expireAt: at(1) };
}
