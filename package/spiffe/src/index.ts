export { SpiffeError, spiffeErrorTable, type SpiffeErrorCode } from './error.ts';
export { TrustDomain } from './id/trust-domain.ts';
export { SpiffeId } from './id/spiffe-id.ts';
export type { Identity, IdentityChange, IdentitySource, IdentityState, X509Context } from './source.ts';
