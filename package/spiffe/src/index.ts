export { SpiffeError, spiffeErrorTable, type SpiffeErrorCode } from './error.ts';
export { TrustDomain } from './id/trust-domain.ts';
export { SpiffeId } from './id/spiffe-id.ts';
export {
  currentOf,
  type Identity,
  type IdentityChange,
  type IdentitySource,
  type IdentityState,
  type X509Context,
} from './source.ts';
export { Certificate } from './x509/certificate.ts';
export { X509Bundle } from './x509/bundle.ts';
export { X509BundleSet } from './x509/bundle-set.ts';
export { X509Svid } from './x509/svid.ts';
export { verifyX509Svid, VerifiedPeer } from './x509/verify.ts';
export { CertificateAuthority, type AuthorityOptions, type SvidRequest } from './ca/certificate-authority.ts';
export type { JwtAuthorityKey } from './jwt/authority-key.ts';
export { SpiffeBundle, type SpiffeBundleOptions } from './bundle/spiffe-bundle.ts';
export { marshalBundleMap, parseBundleMap } from './bundle/bundle-map.ts';
export { JwtAuthority, type JwtSigningKey, type JwtSvidRequest } from './ca/jwt-authority.ts';
export { JwtBundle, JwtBundleSet } from './jwt/bundle.ts';
export { JwtKey } from './jwt/key.ts';
export { JwtSvid } from './jwt/svid.ts';
export { verifyJwtSvid, VerifiedToken, type TokenExpectation } from './jwt/verify.ts';
export type { GrpcServerLimit } from './grpc/server-limit.ts';
export { WorkloadClient, type WorkloadClientOptions } from './workload/client.ts';
export { endpointFromEnvironment, endpointVariable, parseEndpoint } from './workload/endpoint.ts';
export type { WorkloadTiming } from './workload/timing.ts';
export type { WatchEvent } from './workload/watch.ts';
export {
  WorkloadServer,
  type JwtWorkloadHandler,
  type WorkloadHandler,
  type WorkloadServerOptions,
} from './workload/server.ts';
export type { JwtSvidQuery, ValidatedToken } from './workload/jwt-context.ts';
export { JwtSource, type JwtSourceOptions, type TokenQuery } from './workload/jwt-source.ts';
export { pickBelow } from './workload/pick.ts';
export { X509Source, type X509SourceOptions } from './workload/x509-source.ts';
export {
  authorizeAny,
  authorizeBelow,
  authorizeEither,
  authorizeId,
  authorizeMemberOf,
  authorizeOneOf,
  type Authorizer,
} from './tls/authorizer.ts';
export { openServer, type TlsServer } from './tls/server.ts';
export type {
  Malformed,
  Refusal,
  RequestHandler,
  ServerLimits,
  ServerOptions,
  ServerTally,
  Unfit,
} from './tls/server-option.ts';
export { isUnsent, openPool, type TlsPool } from './tls/pool.ts';
export type { PoolOptions, PoolRequest, PoolResponse } from './tls/pool-option.ts';
export { parseEndpointUrl, type BundleEndpoint, type EndpointProfile } from './federation/endpoint.ts';
export { fetchBundle, type BundleFetchOptions } from './federation/fetch.ts';
export {
  FederatedBundle,
  type RefreshInterval,
  type RelationshipOptions,
  type RelationshipProfile,
} from './federation/federated-bundle.ts';
export { BundleServer, type BundleServerOptions, type EndpointCredential } from './federation/server.ts';
