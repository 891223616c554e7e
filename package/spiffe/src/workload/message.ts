import type { Method } from '../grpc/method.ts';
import {
  bytes,
  mapOf,
  message,
  repeatedBytes,
  repeatedMessage,
  text,
  type MessageOf,
} from '../grpc/schema.ts';

/** workload.proto of the SPIFFE standard, as far as X.509 goes. It declares no package, so paths have none either. */
const empty = message({});

export const x509SvidSchema = message({
  spiffeId: text(1),
  /** DER, one certificate after the other, leaf first. */
  x509Svid: bytes(2),
  /** PKCS#8 DER, not encrypted. */
  x509SvidKey: bytes(3),
  bundle: bytes(4),
  hint: text(5),
});

export const x509SvidResponseSchema = message({
  svids: repeatedMessage(1, x509SvidSchema),
  crl: repeatedBytes(2),
  federatedBundles: mapOf(3, bytes),
});

export const x509BundlesResponseSchema = message({
  crl: repeatedBytes(1),
  bundles: mapOf(2, bytes),
});

export type X509SvidMessage = MessageOf<typeof x509SvidSchema>;
export type X509SvidResponse = MessageOf<typeof x509SvidResponseSchema>;
export type X509BundlesResponse = MessageOf<typeof x509BundlesResponseSchema>;
export type EmptyMessage = MessageOf<typeof empty>;

const service = '/SpiffeWorkloadAPI';

export const fetchX509Svid: Method<EmptyMessage, X509SvidResponse> = {
  path: `${service}/FetchX509SVID`,
  kind: 'stream',
  request: empty,
  response: x509SvidResponseSchema,
};

export const fetchX509Bundles: Method<EmptyMessage, X509BundlesResponse> = {
  path: `${service}/FetchX509Bundles`,
  kind: 'stream',
  request: empty,
  response: x509BundlesResponseSchema,
};

/** Methods of the standard that are answered with Unimplemented. Of their messages only "skip it all" is needed. */
export const unimplementedMethods: readonly Method<EmptyMessage, EmptyMessage>[] = [
  'FetchJWTSVID',
  'FetchJWTBundles',
  'ValidateJWTSVID',
  'FetchWITSVID',
  'FetchWITBundles',
].map((name) => ({ path: `${service}/${name}`, kind: 'stream', request: empty, response: empty }));

/** Keeps web pages and other servers' clients from reaching the API by accident (Workload Endpoint 3). */
export const securityHeader = { name: 'workload.spiffe.io', value: 'true' } as const;
