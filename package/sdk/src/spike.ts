import { SecretPath, toValueMap, type InputOf, type NexusTable, type OutputOf } from '@spike/contract';
import type { CallOptions, Client } from './client.ts';
import { Secret } from './secret-value.ts';

export interface PolicyInput {
  readonly name: string;
  /** RE2; has to match the whole SPIFFE ID. */
  readonly spiffeIdPattern: string;
  /** RE2; has to match the whole path. */
  readonly pathPattern: string;
  readonly permissions: readonly ('read' | 'write' | 'list' | 'execute' | 'super')[];
}

export interface Policy {
  readonly name: string;
  readonly spiffeIdPattern: string;
  readonly pathPattern: string;
  readonly permissions: readonly string[];
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Asked for with each page of a list; a server that knows no pages sends everything. */
const pageSize = 1000;

/** Secrets and policies of one SPIKE, as this workload may see them. Every method throws SpikeError. */
export class Spike implements AsyncDisposable {
  /** Who we are. */
  readonly spiffeId: string;
  readonly policy: PolicyCalls;
  readonly #call: Client<NexusTable>;
  readonly #close: () => Promise<void>;

  constructor(call: Client<NexusTable>, spiffeId: string, close: () => Promise<void>) {
    this.#call = call;
    this.#close = close;
    this.spiffeId = spiffeId;
    this.policy = new PolicyCalls(call);
  }

  /** The current version of a secret, or the one that is asked for. Throws `api_not_found`, also for a deleted version. */
  async get(path: string, options: CallOptions & { readonly version?: number } = {}): Promise<Secret> {
    const at = SecretPath.parse(path);
    const { data, version } = await this.#call.getSecret(
      { path: at, version: options.version ?? 0 },
      options,
    );
    return new Secret(at.text, version, data);
  }

  /** Stores values as the next version of a secret, in place of all of the last one. Resolves when they are on disk. */
  async put(
    path: string,
    values: Readonly<Record<string, string>>,
    options: CallOptions = {},
  ): Promise<{ readonly version: number | undefined }> {
    const request = { path: SecretPath.parse(path), values: toValueMap(values) };
    const { version } = await this.#call.putSecret(request, options);
    return { version };
  }

  /** The paths that this workload may list, in order. */
  async list(options: CallOptions = {}): Promise<readonly string[]> {
    const paths: string[] = [];
    let cursor: string | undefined;
    do {
      const page: OutputOf<NexusTable['listSecrets']> = await this.#call.listSecrets(
        cursor === undefined ? { limit: pageSize } : { limit: pageSize, cursor },
        options,
      );
      for (const path of page.keys) paths.push(path);
      cursor = page.cursor;
    } while (cursor !== undefined);
    return paths.toSorted();
  }

  /** Marks versions as deleted; the current one unless told. Throws `api_not_found` when there is no such secret. */
  async delete(
    path: string,
    options: CallOptions & { readonly versions?: readonly number[] } = {},
  ): Promise<void> {
    const request = { path: SecretPath.parse(path), versions: [...(options.versions ?? [])] };
    await this.#call.deleteSecret(request, options);
  }

  /** Ends the connections and the identity that `connect` opened. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

/** Policies, for those who administer them. */
export class PolicyCalls {
  readonly #call: Client<NexusTable>;

  constructor(call: Client<NexusTable>) {
    this.#call = call;
  }

  /** Creates the policy, or replaces the one of its name. The warnings say where the Go original would have read a pattern differently. */
  async put(
    policy: PolicyInput,
    options: CallOptions = {},
  ): Promise<{ readonly warnings: readonly string[] }> {
    const request: InputOf<NexusTable['putPolicy']> = {
      name: policy.name,
      spiffeidPattern: policy.spiffeIdPattern,
      pathPattern: policy.pathPattern,
      permissions: [...policy.permissions],
    };
    const { warnings } = await this.#call.putPolicy(request, options);
    return { warnings: warnings ?? [] };
  }

  /** Throws `api_not_found`. */
  async get(name: string, options: CallOptions = {}): Promise<Policy> {
    const found = await this.#call.getPolicy({ id: name }, options);
    return {
      name: found.name,
      spiffeIdPattern: found.spiffiedPattern,
      pathPattern: found.pathPattern,
      permissions: found.permissions,
      createdAt: new Date(found.createdAt),
      updatedAt: new Date(found.updatedAt),
    };
  }

  /** The names of all policies, in order. */
  async list(options: CallOptions = {}): Promise<readonly string[]> {
    const { policies } = await this.#call.listPolicies({ spiffeidPattern: '', pathPattern: '' }, options);
    return policies.map(({ name }) => name).toSorted();
  }

  /** Throws `api_not_found`. */
  async delete(name: string, options: CallOptions = {}): Promise<void> {
    await this.#call.deletePolicy({ id: name }, options);
  }
}
