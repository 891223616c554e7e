export { createClient, type CallOptions, type Client, type ClientOptions } from './client.ts';
export { connect, type ConnectOptions } from './connect.ts';
export { authorizeRole, openClient, type OpenClientOptions, type OpenedClient } from './open-client.ts';
export { pickWorkload } from './pick.ts';
export { createPoolTransport, toNetError, type PoolTransportOptions } from './pool-transport.ts';
export { mayRetry } from './retry.ts';
export type { SecretMetadata, SecretMetadataChange, SecretVersion } from './secret-metadata.ts';
export { Secret, SecretValue } from './secret-value.ts';
export {
  Spike,
  type ListOptions,
  type Policy,
  type PolicyCalls,
  type PolicyInput,
  type PutOptions,
} from './spike.ts';
