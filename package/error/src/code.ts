/**
 * Every error code, once: the HTTP status that carries it, the exit code of the `spike` command, and whether
 * asking again can help. Codes are those of the Go original where it has one.
 */
export const codeTable = {
  api_bad_request: {
    status: 400,
    exit: 1,
    retry: false,
    says: 'the request is not one that this route understands',
  },
  api_not_found: { status: 404, exit: 3, retry: false, says: 'there is nothing here by that name' },
  api_internal_error: {
    status: 500,
    exit: 1,
    retry: false,
    says: 'the server failed; its log has the trail',
  },
  api_payload_too_large: {
    status: 413,
    exit: 1,
    retry: false,
    says: 'the request, or a value in it, is larger than is taken here',
  },
  access_unauthorized: { status: 401, exit: 4, retry: false, says: 'this identity may not do that' },
  state_not_ready: { status: 503, exit: 5, retry: true, says: 'there is no root key yet' },
  state_already_initialized: { status: 409, exit: 9, retry: false, says: 'it has been initialised before' },
  store_missing: {
    status: 503,
    exit: 5,
    retry: false,
    says: 'the root key is here, the store it belongs to is not',
  },
  store_integrity: {
    status: 503,
    exit: 5,
    retry: false,
    says: 'the store is damaged, foreign or older than the anchor',
  },
  store_failed: { status: 500, exit: 1, retry: true, says: 'the store could not be read or written' },
  bootstrap_lease_held: { status: 409, exit: 6, retry: true, says: 'another Bootstrap holds the lease' },
  entity_version_conflict: { status: 409, exit: 6, retry: false, says: 'somebody else wrote first' },
  entity_limit_reached: {
    status: 409,
    exit: 6,
    retry: false,
    says: 'there are as many of these as there may be: remove some first',
  },
  audit_unavailable: {
    status: 503,
    exit: 5,
    retry: true,
    says: 'no audit sink can be written, so nothing is served',
  },
  identity_withdrawn: { status: 503, exit: 5, retry: true, says: 'this process holds no SPIFFE identity' },
  limit_exceeded: { status: 429, exit: 5, retry: true, says: 'too many at once: try again later' },
  net_peer_connection: { status: 502, exit: 7, retry: true, says: 'the other side could not be reached' },
  net_timeout: { status: 504, exit: 7, retry: true, says: 'the other side did not answer in time' },
  spiffe_no_agent: { status: 503, exit: 7, retry: true, says: 'no Workload API answers' },
  spiffe_no_identity: {
    status: 503,
    exit: 4,
    retry: true,
    says: 'the Workload API has no identity for this process',
  },
  shamir_not_enough_shards: { status: 500, exit: 1, retry: false, says: 'fewer shares than the threshold' },
  shamir_reconstruction_failed: {
    status: 400,
    exit: 1,
    retry: false,
    says: 'the shares do not belong together',
  },
  crypto_decryption_failed: { status: 400, exit: 1, retry: false, says: 'it does not open with this key' },
  data_invalid_input: {
    status: 400,
    exit: 2,
    retry: false,
    says: 'the input is not of the form that is asked for',
  },
  fs_unsafe: {
    status: 500,
    exit: 1,
    retry: false,
    says: 'a file or directory could be read or written by others',
  },
  config_invalid: { status: 500, exit: 2, retry: false, says: 'a setting is not understood' },
  host_refused: {
    status: 500,
    exit: 1,
    retry: false,
    says: 'the operating system refuses, or does not have, what is asked of it',
  },
  identity_denied: {
    status: 401,
    exit: 4,
    retry: false,
    says: 'an administrator denied this SPIFFE ID; stands in the audit alone, and whoever asks is told `access_unauthorized`',
  },
  session_required: { status: 401, exit: 8, retry: false, says: 'log in first: spike login' },
  password_change_required: {
    status: 401,
    exit: 8,
    retry: false,
    says: 'the one-time password has to be changed first: spike password change',
  },
  login_refused: {
    status: 401,
    exit: 4,
    retry: false,
    says: 'name or password is wrong, or it is too early to try again',
  },
  password_weak: { status: 400, exit: 2, retry: false, says: 'the password is not strong enough' },
  state_not_initialized: {
    status: 409,
    exit: 10,
    retry: false,
    says: 'there is no administrator yet: run spike init',
  },
  approval_required: {
    status: 409,
    exit: 11,
    retry: false,
    says: 'somebody else has to approve this first',
  },
} as const satisfies Record<string, CodeRow>;

export interface CodeRow {
  readonly status: number;
  /** Exit code of the `spike` command: 0 done, 1 failed, 2 usage, 3 not found, 4 denied, 5 not ready, 6 conflict, 7 cannot connect, 8 log in first, 9 already initialised, 10 not initialised, 11 waits for an approval. */
  readonly exit: number;
  readonly retry: boolean;
  readonly says: string;
}

export type ErrorCode = keyof typeof codeTable;

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(codeTable, value);
}
