export { SpiffeError, spiffeErrorTable, type SpiffeErrorCode } from './error.ts';
export { TrustDomain } from './id/trust-domain.ts';
export { SpiffeId } from './id/spiffe-id.ts';
export type { Identity, IdentityChange, IdentitySource, IdentityState, X509Context } from './source.ts';
export { Certificate } from './x509/certificate.ts';
export { X509Bundle } from './x509/bundle.ts';
export { X509BundleSet } from './x509/bundle-set.ts';
export { X509Svid } from './x509/svid.ts';
export { verifyX509Svid, VerifiedPeer } from './x509/verify.ts';
