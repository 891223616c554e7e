/** Every code that this package throws, with what it means. Closed: a switch over it can be exhaustive. */
export const spiffeErrorTable = {
  trust_domain_invalid: 'the text is not the name of a trust domain',
  id_invalid: 'the text is not a SPIFFE ID',
  certificate_invalid: 'the bytes are not a certificate that may be used here',
  key_invalid: 'the bytes are not a private key that may be used here, or belong to another certificate',
  svid_invalid: 'the certificate is not an X.509-SVID',
  bundle_invalid: 'the bytes are not a bundle',
  bundle_unknown: 'there is no bundle for the trust domain that the ID names',
  chain_invalid: 'no path of valid signatures leads from the leaf to the bundle of its trust domain',
  token_invalid: 'the text is not a JWT-SVID',
  token_refused: 'the JWT-SVID is not believed: its signature, its time or its audience is wrong',
  peer_refused: 'the peer proved who it is and is not let in',
  peer_missing: 'the peer showed no certificate',
  identity_withdrawn: 'this workload has no identity any more',
  identity_expired: 'the last identity of this workload has expired',
  identity_ambiguous: 'this workload has several identities and none was chosen',
  endpoint_invalid: 'the address of the Workload API is not understood',
  connection_failed: 'the other side could not be reached, or ended the connection',
  connection_lost:
    'the connection ended after the request, or a part of it, was sent: its outcome is not known',
  protocol_invalid: 'the other side does not speak the protocol that was expected',
  limit_exceeded: 'a message, or the number of them, is larger than what is accepted',
  permission_denied: 'the Workload API has no identity for this workload',
  unavailable: 'the Workload API is not ready, or cannot be reached',
  invalid_argument: 'the call was not understood',
  unimplemented: 'the call is not offered',
  deadline_exceeded: 'there was no answer in time',
  aborted: 'the caller gave up',
  internal: 'the other side failed',
} as const;

export type SpiffeErrorCode = keyof typeof spiffeErrorTable;

/**
 * The one error class of this package. `code` is for programs and `message` for people; neither ever holds key
 * material. What was underneath, if anything, is `cause`.
 */
export class SpiffeError extends Error {
  override readonly name = 'SpiffeError';
  readonly code: SpiffeErrorCode;

  constructor(code: SpiffeErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
  }
}
