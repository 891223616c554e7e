import { SpikeError } from '@spike/error';
import type { Op, Row } from '@spike/store';
import { isName } from '../policy/policy.ts';
import type { PolicyEngine } from '../policy/engine.ts';
import type { Ledger, Vault } from '../vault/port.ts';
import { KeyedLock } from './keyed-lock.ts';
import type { GrantedListing, GrantedPath, Mutation } from './port.ts';
import { damaged } from './record.ts';
import { listPaths, type ListPage, type ListRequest } from './secret-list.ts';
import {
  decodeMetadata,
  decodeValues,
  encodeMetadata,
  encodeValues,
  type SecretMetadata,
  type SecretValues,
} from './secret-record.ts';
import { addVersion, deleteVersions, findVersion } from './secret-version.ts';

export interface SecretServiceOptions {
  readonly vault: Vault;
  readonly ledger: Ledger;
  /** Decides which paths a list may show. */
  readonly engine: PolicyEngine;
  /** For secrets that are made from now on; each keeps its own. 10 unless told. */
  readonly maxVersions?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface SecretReading {
  /** The number that 0 stood for, or the one that was asked for. */
  readonly version: number;
  readonly values: SecretValues;
}

/** What a secret's row opened to, with the row's own revision. */
interface Found {
  readonly row: Row;
  readonly metadata: SecretMetadata;
}

const mostAttempts = 5;

/** The rules of secrets (wire.md 6). Version numbers are never given twice, and what is pruned is gone. */
export class SecretService {
  readonly #vault: Vault;
  readonly #ledger: Ledger;
  readonly #engine: PolicyEngine;
  readonly #maxVersions: number;
  readonly #now: () => number;
  readonly #lock = new KeyedLock();

  constructor(options: SecretServiceOptions) {
    this.#vault = options.vault;
    this.#ledger = options.ledger;
    this.#engine = options.engine;
    this.#maxVersions = options.maxVersions ?? 10;
    if (!Number.isSafeInteger(this.#maxVersions) || this.#maxVersions < 1) {
      throw new SpikeError('config_invalid', 'a secret keeps at least one version');
    }
    this.#now = options.now ?? Date.now;
  }

  /** Writes the next version and answers its number. Throws `data_invalid_input` for a name that wire.md 4 refuses. */
  async put(grant: GrantedPath, values: SecretValues, mutation: Mutation = {}): Promise<number> {
    for (const name of Object.keys(values)) {
      if (!isName(name)) {
        throw new SpikeError(
          'data_invalid_input',
          'the name of a value has 1 to 250 characters, of letters, digits, space, - and _',
        );
      }
    }
    const path = grant.permission.path.text;
    return await this.#change(grant, mutation, async (key, found) => {
      const { metadata, pruned } = addVersion(found?.metadata, path, {
        now: this.#now(),
        maxVersions: this.#maxVersions,
      });
      const version = metadata.highest;
      const versionKey = this.#vault.versionKey(key, version);
      const row = this.#vault.seal(
        'secret_version',
        versionKey,
        { revision: 1, version, field: 0 },
        encodeValues(path, version, values),
      );
      const ops: Op[] = [
        this.#putMetadata(key, found, metadata),
        { kind: 'put', table: 'secret_version', row, expect: 'absent' },
      ];
      for (const old of pruned) {
        const gone = this.#vault.versionKey(key, old);
        ops.push({ kind: 'delete', table: 'secret_version', key: gone, expect: 'any' });
      }
      await this.#ledger.commit(ops, mutation.record);
      return version;
    });
  }

  /**
   * One version, 0 being the current one. Throws `api_not_found` when it is not there or deleted, `store_integrity`
   * when what opens is not what was asked for.
   */
  async get(grant: GrantedPath, wanted = 0): Promise<SecretReading> {
    const { text: path, segments } = grant.permission.path;
    const key = this.#vault.key('secret', segments);
    for (let revision = 0; ;) {
      const found = await this.#find(key, path);
      const version = found === undefined ? undefined : findVersion(found.metadata, wanted);
      if (found === undefined || version === undefined) throw noSuchSecret();
      const row = await this.#ledger.get('secret_version', this.#vault.versionKey(key, version));
      if (row !== undefined) {
        return { version, values: decodeValues(this.#vault.open('secret_version', row), path, version) };
      }
      // A put may have pruned it between the two reads, and then the metadata is a newer one.
      if (found.row.revision <= revision) throw damaged('a version of a secret is missing');
      revision = found.row.revision;
    }
  }

  /** Deletes softly. Throws `api_not_found` when there is no such path; versions that are not there are passed over. */
  async delete(
    grant: GrantedPath,
    versions: readonly number[] | null,
    mutation: Mutation = {},
  ): Promise<void> {
    await this.#change(grant, mutation, async (key, found) => {
      if (found === undefined) throw noSuchSecret();
      const metadata = deleteVersions(found.metadata, versions ?? [], this.#now());
      if (metadata === undefined) return;
      await this.#ledger.commit([this.#putMetadata(key, found, metadata)], mutation.record);
    });
  }

  /**
   * Paths in byte order, those of deleted secrets as well: all of them, or those on which a policy gives this peer
   * `list`. In pages where the request has a limit. Throws `access_unauthorized` when no policy gives it anywhere.
   */
  async list(grant: GrantedListing, request: ListRequest = {}, signal?: AbortSignal): Promise<ListPage> {
    const peer = grant.peer.id.toString();
    const scope = { vault: this.#vault, ledger: this.#ledger, peer };
    if (grant.permission.scope === 'all') {
      return await listPaths({ ...scope, directories: [[]], passes: () => true }, request, signal);
    }
    if (!this.#engine.givesAnywhere(peer, 'list')) {
      throw new SpikeError('access_unauthorized', 'no policy lets this identity list anything');
    }
    const directories = this.#engine.directories(peer, 'list');
    const passes = (path: string): boolean => this.#engine.decide(peer, 'list', path).allowed;
    return await listPaths({ ...scope, directories, passes }, request, signal);
  }

  async #find(key: Uint8Array, path: string): Promise<Found | undefined> {
    const row = await this.#ledger.get('secret', key);
    if (row === undefined) return undefined;
    const metadata = decodeMetadata(this.#vault.open('secret', row));
    if (metadata.path !== path) throw damaged('a secret lies in the place of another');
    return { row, metadata };
  }

  /** Reads, lets change, and does so again when somebody else was faster; nobody in this process is. */
  async #change<T>(
    grant: GrantedPath,
    mutation: Mutation,
    change: (key: Uint8Array, found: Found | undefined) => Promise<T>,
  ): Promise<T> {
    const { text: path, segments } = grant.permission.path;
    const key = this.#vault.key('secret', segments);
    return await this.#lock.run(
      path,
      async () => {
        for (let attempt = 1; ; attempt += 1) {
          try {
            return await change(key, await this.#find(key, path));
          } catch (thrown) {
            const conflict = thrown instanceof SpikeError && thrown.code === 'entity_version_conflict';
            if (!conflict || attempt === mostAttempts) throw thrown;
          }
        }
      },
      mutation.signal,
    );
  }

  #putMetadata(key: Uint8Array, found: Found | undefined, metadata: SecretMetadata): Op {
    const revision = (found?.row.revision ?? 0) + 1;
    const meta = { revision, version: 0, field: 0 };
    const row = this.#vault.seal('secret', key, meta, encodeMetadata(metadata));
    const expect = found === undefined ? 'absent' : { revision: found.row.revision };
    return { kind: 'put', table: 'secret', row, expect };
  }
}

function noSuchSecret(): SpikeError {
  return new SpikeError('api_not_found', 'there is no such secret, or no such version of it');
}
