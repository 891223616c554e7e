import { SpiffeError } from '../error.ts';
import type { SpiffeId } from '../id/spiffe-id.ts';
import type { TrustDomain } from '../id/trust-domain.ts';
import type { VerifiedPeer } from '../x509/verify.ts';

/**
 * Decides whether a peer that has proved who it is may connect. Returns nothing to let it in, throws to refuse. Not
 * `void`, to which TypeScript assigns functions that return a boolean or a promise, whose "no" nobody would hear.
 * Never called for an unverified peer.
 */
export type Authorizer = (peer: VerifiedPeer) => undefined;

/** Has the authorizer judge; throws what it throws, and SpiffeError `peer_refused` when it answers all the same. */
export function judge(authorize: Authorizer, peer: VerifiedPeer): void {
  const answer: unknown = authorize(peer);
  if (answer !== undefined) refuse(peer, 'was judged by an authorizer that returns something');
}

/** Lets in whoever has a verified SVID: for servers that decide by request. */
export function authorizeAny(): Authorizer {
  return () => {};
}

/** Lets in exactly one identity. */
export function authorizeId(id: SpiffeId): Authorizer {
  return authorizeOneOf(id);
}

/** Lets in the identities that are listed; without any, nobody. */
export function authorizeOneOf(...ids: readonly SpiffeId[]): Authorizer {
  const allowed = new Set(ids.map((id) => id.toString()));
  return (peer) => {
    if (!allowed.has(peer.id.toString())) refuse(peer, 'is not one of the expected identities');
  };
}

/** Lets in every identity of one trust domain. */
export function authorizeMemberOf(trustDomain: TrustDomain): Authorizer {
  return (peer) => {
    if (!peer.id.memberOf(trustDomain)) refuse(peer, `is not a member of ${trustDomain.toString()}`);
  };
}

/** Lets in the identities of these trust domains whose path is `path` or lies below it, by whole segments. */
export function authorizeBelow(trustDomains: readonly TrustDomain[], path: string): Authorizer {
  const allowed = [...trustDomains];
  return (peer) => {
    const member = allowed.some((trustDomain) => peer.id.memberOf(trustDomain));
    if (!member || !peer.id.isBelow(path)) refuse(peer, `is not ${path} of an expected trust domain`);
  };
}

/** Lets in whom at least one of these lets in. */
export function authorizeEither(...authorizers: readonly Authorizer[]): Authorizer {
  return (peer) => {
    const admitted = authorizers.some((authorize) => {
      try {
        judge(authorize, peer);
        return true;
      } catch {
        return false;
      }
    });
    if (!admitted) refuse(peer, 'is none of those that are let in');
  };
}

function refuse(peer: VerifiedPeer, why: string): never {
  throw new SpiffeError('peer_refused', `${peer.id.toString()} ${why}`);
}
