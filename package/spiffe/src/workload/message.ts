import type { Method } from '../grpc/method.ts';
import {
  bytes,
  mapOf,
  message,
  nested,
  repeatedBytes,
  repeatedMessage,
  repeatedText,
  text,
  type MessageOf,
} from '../grpc/schema.ts';
import { structSchema } from '../grpc/struct.ts';

/** workload.proto of the SPIFFE standard. It declares no package, so paths have none either. */
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

export const jwtSvidRequestSchema = message({ audience: repeatedText(1), spiffeId: text(2) });

export const jwtSvidSchema = message({ spiffeId: text(1), svid: text(2), hint: text(3) });

export const jwtSvidResponseSchema = message({ svids: repeatedMessage(1, jwtSvidSchema) });

export const jwtBundlesResponseSchema = message({ bundles: mapOf(1, bytes) });

export const validateJwtSvidRequestSchema = message({ audience: text(1), svid: text(2) });

export const validateJwtSvidResponseSchema = message({ spiffeId: text(1), claims: nested(2, structSchema) });

export type X509SvidMessage = MessageOf<typeof x509SvidSchema>;
export type X509SvidResponse = MessageOf<typeof x509SvidResponseSchema>;
export type X509BundlesResponse = MessageOf<typeof x509BundlesResponseSchema>;
export type JwtSvidRequest = MessageOf<typeof jwtSvidRequestSchema>;
export type JwtSvidResponse = MessageOf<typeof jwtSvidResponseSchema>;
export type JwtBundlesResponse = MessageOf<typeof jwtBundlesResponseSchema>;
export type ValidateJwtSvidRequest = MessageOf<typeof validateJwtSvidRequestSchema>;
export type ValidateJwtSvidResponse = MessageOf<typeof validateJwtSvidResponseSchema>;
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

export const fetchJwtSvid: Method<JwtSvidRequest, JwtSvidResponse> = {
  path: `${service}/FetchJWTSVID`,
  kind: 'unary',
  request: jwtSvidRequestSchema,
  response: jwtSvidResponseSchema,
};

export const fetchJwtBundles: Method<EmptyMessage, JwtBundlesResponse> = {
  path: `${service}/FetchJWTBundles`,
  kind: 'stream',
  request: empty,
  response: jwtBundlesResponseSchema,
};

export const validateJwtSvid: Method<ValidateJwtSvidRequest, ValidateJwtSvidResponse> = {
  path: `${service}/ValidateJWTSVID`,
  kind: 'unary',
  request: validateJwtSvidRequestSchema,
  response: validateJwtSvidResponseSchema,
};

/** Methods that are answered with Unimplemented. Of their messages only "skip it all" is needed. */
export function toUnimplemented(path: string): Method<EmptyMessage, EmptyMessage> {
  return { path, kind: 'stream', request: empty, response: empty };
}

/** Those of the standard that nobody here offers. */
export const witMethods: readonly string[] = ['FetchWITSVID', 'FetchWITBundles'].map(
  (name) => `${service}/${name}`,
);

/** Keeps web pages and other servers' clients from reaching the API by accident (Workload Endpoint 3). */
export const securityHeader = { name: 'workload.spiffe.io', value: 'true' } as const;
