import {
  formatEnvelope,
  parseEnvelope,
  SecretPath,
  toWireValues,
  type InputOf,
  type NexusTable,
  type OutputOf,
} from '@spike/contract';
import type { CallOptions, Client } from './client.ts';
import {
  toChangeRequest,
  toMetadata,
  type SecretMetadata,
  type SecretMetadataChange,
} from './secret-metadata.ts';
import { readSecret, type Secret } from './secret-value.ts';

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

export interface PutOptions extends CallOptions {
  /**
   * The version that the new one is to follow, 0 for a secret that is not there or wholly deleted. When another one is
   * current, nothing is written and the call throws `entity_version_conflict`.
   */
  readonly cas?: number;
  /** How many versions the secret keeps from now on, 1 to 1000. */
  readonly maxVersions?: number;
}

export interface ListOptions extends CallOptions {
  /** Only paths that begin with this text. */
  readonly prefix?: string;
  /** False lists one level below the prefix: what lies deeper shows once, as a directory that ends in a slash. */
  readonly recursive?: boolean;
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
    return readSecret(at, await this.#call.getSecret({ path: at, version: options.version ?? 0 }, options));
  }

  /**
   * Stores values, texts or bytes, as the next version of a secret, in place of all of the last one. Resolves when they
   * are on disk. Throws `api_payload_too_large`, by default for more than 64 KiB a value or 1 MiB in all.
   */
  async put(
    path: string,
    values: Readonly<Record<string, string | Uint8Array>>,
    options: PutOptions = {},
  ): Promise<{ readonly version: number | undefined }> {
    const { cas, maxVersions } = options;
    const { values: texts, encoding } = toWireValues(values);
    const { version } = await this.#call.putSecret(
      {
        path: SecretPath.parse(path),
        values: texts,
        ...(encoding === undefined ? {} : { encoding }),
        ...(cas === undefined ? {} : { cas }),
        ...(maxVersions === undefined ? {} : { maxVersions }),
      },
      options,
    );
    return { version };
  }

  /** The paths that this workload may list, in order. */
  async list(options: ListOptions = {}): Promise<readonly string[]> {
    const { prefix, recursive } = options;
    const first: InputOf<NexusTable['listSecrets']> = {
      limit: pageSize,
      ...(prefix === undefined ? {} : { prefix }),
      ...(recursive === undefined ? {} : { recursive }),
    };
    const paths: string[] = [];
    let cursor: string | undefined;
    do {
      const page: OutputOf<NexusTable['listSecrets']> = await this.#call.listSecrets(
        cursor === undefined ? first : { ...first, cursor },
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

  /**
   * Brings deleted versions back; the newest deleted one unless told. Throws `api_not_found` when none of them is
   * deleted.
   */
  async undelete(
    path: string,
    options: CallOptions & { readonly versions?: readonly number[] } = {},
  ): Promise<void> {
    const request = { path: SecretPath.parse(path), versions: [...(options.versions ?? [])] };
    await this.#call.undeleteSecret(request, options);
  }

  /** Removes versions for good, or with `all` the whole secret. Throws `api_not_found` when there is no such secret. */
  async destroy(
    path: string,
    what: { readonly versions: readonly number[] } | { readonly all: true },
    options: CallOptions = {},
  ): Promise<void> {
    const at = SecretPath.parse(path);
    const request = 'all' in what ? { path: at, all: what.all } : { path: at, versions: [...what.versions] };
    await this.#call.destroySecret(request, options);
  }

  /** What is known about a secret, also when all its versions are deleted. Throws `api_not_found`. */
  async metadata(path: string, options: CallOptions = {}): Promise<SecretMetadata> {
    const request = { path: SecretPath.parse(path), version: 0 };
    return toMetadata(await this.#call.getMetadata(request, options));
  }

  /** Throws `api_not_found`. */
  async setMetadata(path: string, change: SecretMetadataChange, options: CallOptions = {}): Promise<void> {
    await this.#call.setMetadata(toChangeRequest(SecretPath.parse(path), change), options);
  }

  /**
   * Encrypts with a key that never leaves SPIKE, and stores nothing: what comes back is the caller's to keep, 29 bytes
   * longer than what went in. Wants the permission `execute` on `spike/system/cipher/exec`.
   */
  async encrypt(plaintext: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    return formatEnvelope(await this.#call.encrypt({ plaintext }, options));
  }

  /** Throws `crypto_decryption_failed` for what this SPIKE did not encrypt, or what was changed since. */
  async decrypt(encrypted: Uint8Array, options: CallOptions = {}): Promise<Uint8Array> {
    const { plaintext } = await this.#call.decrypt(parseEnvelope(encrypted), options);
    return plaintext;
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
