import { rolePaths, type Role, type Table, type Transport } from '@spike/contract';
import {
  authorizeBelow,
  openPool,
  type Authorizer,
  type IdentitySource,
  type TrustDomain,
} from '@spike/spiffe';
import { createClient, type Client, type ClientOptions } from './client.ts';
import { createPoolTransport } from './pool-transport.ts';

export interface OpenClientOptions<T extends Table> extends ClientOptions {
  readonly source: IdentitySource;
  readonly table: T;
  readonly url: string | URL;
  /** Who the server has to be. */
  readonly authorize: Authorizer;
  readonly groups?: readonly string[];
  readonly requireGroup?: string;
  readonly maxSockets?: number;
  readonly connectMs?: number;
  /** Puts something between the client and its connections, such as a look at what goes by. */
  readonly wrap?: (transport: Transport) => Transport;
}

/** A client and the connections that it owns. */
export interface OpenedClient<T extends Table> extends Disposable {
  readonly call: Client<T>;
}

/**
 * A client of one server, for programs that have a source of identity already. It connects at the first call; the
 * source stays the caller's.
 */
export function openClient<T extends Table>(options: OpenClientOptions<T>): OpenedClient<T> {
  const { groups, maxSockets, connectMs, requireGroup } = options;
  const pool = openPool({
    source: options.source,
    authorize: options.authorize,
    ...(groups === undefined ? {} : { groups }),
    ...(maxSockets === undefined ? {} : { maxSockets }),
    ...(connectMs === undefined ? {} : { connectMs }),
  });
  const transport = createPoolTransport({
    pool,
    url: options.url,
    ...(requireGroup === undefined ? {} : { requireGroup }),
  });
  return {
    call: createClient(options.wrap?.(transport) ?? transport, options.table, options),
    [Symbol.dispose]: () => pool[Symbol.dispose](),
  };
}

/** Lets in whoever has this role in one of these trust domains. */
export function authorizeRole(role: Role, trustDomains: readonly TrustDomain[]): Authorizer {
  return authorizeBelow(trustDomains, rolePaths[role]);
}
