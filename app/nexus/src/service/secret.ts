import { SpikeError } from '@spike/error';
import type { Op, Row } from '@spike/store';
import { defaultSecretBytes, isName, type MixedValues } from '@spike/contract';
import type { PolicyEngine } from '../policy/engine.ts';
import type { Ledger, Vault } from '../vault/port.ts';
import { KeyedLock } from './keyed-lock.ts';
import type { GrantedListing, GrantedPath, Mutation } from './port.ts';
import { damaged } from './record.ts';
import { listPaths, type ListPage, type ListRequest } from './secret-list.ts';
import { writeNotes, type SecretNotes } from './secret-note.ts';
import { decodeMetadata, encodeMetadata, type SecretMetadata } from './secret-record.ts';
import { decodeValues, encodeValues, sizeOfValue } from './secret-values.ts';
import {
  addVersion,
  deleteVersions,
  destroyVersions,
  findVersion,
  trim,
  undeleteVersions,
} from './secret-version.ts';

export interface SecretServiceOptions {
  readonly vault: Vault;
  readonly ledger: Ledger;
  /** Decides which paths a list may show. */
  readonly engine: PolicyEngine;
  /** For secrets that are made from now on; each keeps its own. 10 unless told. */
  readonly maxVersions?: number;
  /** Of one value; 64 KiB unless told. */
  readonly maxValueBytes?: number;
  /** Of the names and values of one version together; 1 MiB unless told. */
  readonly maxSecretBytes?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface SecretReading {
  /** The number that 0 stood for, or the one that was asked for. */
  readonly version: number;
  readonly values: MixedValues;
}

export interface PutOptions extends Mutation {
  /** The version that a get would answer now, 0 for none: else nothing is written. */
  readonly cas?: number;
  /** How many versions the secret keeps from now on. */
  readonly maxVersions?: number;
}

/** Which versions to remove for good. */
export type Destruction = { readonly versions: readonly number[] } | { readonly all: true };

export interface MetadataChange extends SecretNotes {
  readonly maxVersions?: number;
}

/** What a change comes to: nothing is written where there are no operations. */
interface Change<T> {
  readonly ops: readonly Op[];
  readonly result: T;
}

/** What a secret's row opened to, with the row's own revision. */
interface Found {
  readonly row: Row;
  readonly metadata: SecretMetadata;
}

const mostAttempts = 5;
const defaultMaxVersions = 10;
const defaultValueBytes = 64 * 1024;

/** The rules of secrets (wire.md 6). Version numbers are never given twice, and what is pruned or destroyed is gone. */
export class SecretService {
  readonly #vault: Vault;
  readonly #ledger: Ledger;
  readonly #engine: PolicyEngine;
  readonly #maxVersions: number;
  readonly #maxValueBytes: number;
  readonly #maxSecretBytes: number;
  readonly #now: () => number;
  readonly #lock = new KeyedLock();
  /**
   * The current version, by the row that was opened to find it: rows are never changed, and the version that is then read
   * names path and number itself. Nothing else of what a row holds is kept.
   */
  readonly #current = new WeakMap<Row, number>();

  constructor(options: SecretServiceOptions) {
    this.#vault = options.vault;
    this.#ledger = options.ledger;
    this.#engine = options.engine;
    this.#maxVersions = options.maxVersions ?? defaultMaxVersions;
    this.#maxValueBytes = options.maxValueBytes ?? defaultValueBytes;
    this.#maxSecretBytes = options.maxSecretBytes ?? defaultSecretBytes;
    if (!Number.isSafeInteger(this.#maxVersions) || this.#maxVersions < 1) {
      throw new SpikeError('config_invalid', 'a secret keeps at least one version');
    }
    this.#now = options.now ?? Date.now;
  }

  /**
   * Writes the next version and answers its number. Throws `data_invalid_input` for a name that wire.md 4 refuses,
   * `api_payload_too_large`, and `entity_version_conflict` where the current version is another than `cas` says.
   */
  async put(grant: GrantedPath, values: MixedValues, options: PutOptions = {}): Promise<number> {
    this.#checkValues(values);
    const path = grant.permission.path.text;
    return await this.#change(grant, options, (key, found) => {
      const current = found?.metadata.current ?? 0;
      if (options.cas !== undefined && options.cas !== current) throw notThatVersion(current);
      const { metadata, gone } = addVersion(found?.metadata, path, {
        now: this.#now(),
        maxVersions: options.maxVersions ?? found?.metadata.maxVersions ?? this.#maxVersions,
      });
      const version = metadata.highest;
      const versionKey = this.#vault.versionKey(key, version);
      const row = this.#vault.seal(
        'secret_version',
        versionKey,
        { revision: 1, version, field: 0 },
        encodeValues(path, version, values),
      );
      const ops: readonly Op[] = [
        this.#putMetadata(key, found, metadata),
        { kind: 'put', table: 'secret_version', row, expect: 'absent' },
        ...this.#dropVersions(key, gone),
      ];
      return { ops, result: version };
    });
  }

  /**
   * One version, 0 being the current one. Throws `api_not_found` when it is not there or deleted, `store_integrity`
   * when what opens is not what was asked for.
   */
  async get(grant: GrantedPath, wanted = 0): Promise<SecretReading> {
    const { text: path, segments } = grant.permission.path;
    const key = this.#vault.key('secret', segments);
    for (let before: Row | undefined; ;) {
      const found = await this.#findVersion(key, path, wanted);
      if (found === undefined) throw noSuchSecret();
      const { version } = found;
      const row = await this.#ledger.get('secret_version', this.#vault.versionKey(key, version));
      if (row !== undefined) {
        return { version, values: decodeValues(this.#vault.open('secret_version', row), path, version) };
      }
      // It may have been pruned or destroyed between the two reads, and then the metadata was sealed anew.
      if (before !== undefined && Buffer.compare(before.nonce, found.row.nonce) === 0) {
        throw damaged('a version of a secret is missing');
      }
      before = found.row;
    }
  }

  /** Deletes softly. Throws `api_not_found` when there is no such path; versions that are not there are passed over. */
  async delete(
    grant: GrantedPath,
    versions: readonly number[] | null,
    mutation: Mutation = {},
  ): Promise<void> {
    await this.#change(grant, mutation, (key, found) => {
      if (found === undefined) throw noSuchSecret();
      const metadata = deleteVersions(found.metadata, versions ?? [], this.#now());
      return {
        ops: metadata === undefined ? [] : [this.#putMetadata(key, found, metadata)],
        result: undefined,
      };
    });
  }

  /** Brings deleted versions back, none and 0 being the newest deleted one. Throws `api_not_found` where none of them is deleted. */
  async undelete(
    grant: GrantedPath,
    versions: readonly number[] | null,
    mutation: Mutation = {},
  ): Promise<void> {
    await this.#change(grant, mutation, (key, found) => {
      if (found === undefined) throw noSuchSecret();
      const metadata = undeleteVersions(found.metadata, versions ?? [], this.#now());
      if (metadata === undefined) {
        throw new SpikeError('api_not_found', 'there is no such deleted version of this secret');
      }
      return { ops: [this.#putMetadata(key, found, metadata)], result: undefined };
    });
  }

  /**
   * Removes versions for good, or the secret with its metadata. Numbers of versions are not given again as long as
   * the secret stays. Throws `api_not_found` when there is no such path; versions that are not there are passed over.
   */
  async destroy(grant: GrantedPath, what: Destruction, mutation: Mutation = {}): Promise<void> {
    await this.#change(grant, mutation, (key, found) => {
      if (found === undefined) throw noSuchSecret();
      if ('all' in what) {
        const numbers = found.metadata.versions.map((entry) => entry.version);
        const expect = { revision: found.row.revision };
        const ops: readonly Op[] = [
          { kind: 'delete', table: 'secret', key, expect },
          ...this.#dropVersions(key, numbers),
        ];
        return { ops, result: undefined };
      }
      const { metadata, gone } = destroyVersions(found.metadata, what.versions, this.#now());
      const ops = gone.length === 0 ? [] : [this.#putMetadata(key, found, metadata)];
      return { ops: [...ops, ...this.#dropVersions(key, gone)], result: undefined };
    });
  }

  /**
   * What is known about a secret, with all its versions, also when all of them are deleted. Throws `api_not_found` when
   * there is no such path, or no version of the number that is asked for.
   */
  async metadata(grant: GrantedPath, wanted = 0): Promise<SecretMetadata> {
    const { text: path, segments } = grant.permission.path;
    const found = await this.#find(this.#vault.key('secret', segments), path);
    const isThere = wanted === 0 || found?.metadata.versions.some((entry) => entry.version === wanted);
    if (found === undefined || isThere !== true) throw noSuchSecret();
    return found.metadata;
  }

  /** Replaces what is given and keeps the rest; surplus versions leave at once. Throws `api_not_found`. */
  async setMetadata(grant: GrantedPath, change: MetadataChange, mutation: Mutation = {}): Promise<void> {
    await this.#change(grant, mutation, (key, found) => {
      if (found === undefined) throw noSuchSecret();
      const extension = writeNotes(found.metadata.extension, change);
      const { metadata, gone } = trim(
        { ...found.metadata, extension, updatedAt: this.#now() },
        change.maxVersions ?? found.metadata.maxVersions,
      );
      return {
        ops: [this.#putMetadata(key, found, metadata), ...this.#dropVersions(key, gone)],
        result: undefined,
      };
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
      // Where to look bounds what is found: every path below a directory begins with its segments.
      const directories = [grant.permission.tenant ?? []];
      return await listPaths({ ...scope, directories, passes: () => true }, request, signal);
    }
    if (!this.#engine.givesAnywhere(peer, 'list')) {
      throw new SpikeError('access_unauthorized', 'no policy lets this identity list anything');
    }
    const directories = this.#engine.directories(peer, 'list');
    const passes = (path: string): boolean => this.#engine.decide(peer, 'list', path).allowed;
    return await listPaths({ ...scope, directories, passes }, request, signal);
  }

  /** The number of the version that is asked for, if there is one. A row that is known needs not be opened again to know the current one. */
  async #findVersion(
    key: Uint8Array,
    path: string,
    wanted: number,
  ): Promise<{ readonly row: Row; readonly version: number } | undefined> {
    const row = await this.#ledger.get('secret', key);
    if (row === undefined) return undefined;
    let version = wanted === 0 ? this.#current.get(row) : undefined;
    if (version === undefined) {
      const metadata = this.#open(row, path);
      this.#current.set(row, metadata.current);
      version = findVersion(metadata, wanted);
    }
    return version === undefined || version === 0 ? undefined : { row, version };
  }

  async #find(key: Uint8Array, path: string): Promise<Found | undefined> {
    const row = await this.#ledger.get('secret', key);
    if (row === undefined) return undefined;
    return { row, metadata: this.#open(row, path) };
  }

  #open(row: Row, path: string): SecretMetadata {
    const metadata = decodeMetadata(this.#vault.open('secret', row));
    if (metadata.path !== path) throw damaged('a secret lies in the place of another');
    return metadata;
  }

  /** Reads, decides and writes, and does so again when somebody else was faster; nobody in this process is. */
  async #change<T>(
    grant: GrantedPath,
    mutation: Mutation,
    decide: (key: Uint8Array, found: Found | undefined) => Change<T>,
  ): Promise<T> {
    const { text: path, segments } = grant.permission.path;
    const key = this.#vault.key('secret', segments);
    return await this.#lock.run(
      path,
      async () => {
        for (let attempt = 1; ; attempt += 1) {
          const { ops, result } = decide(key, await this.#find(key, path));
          if (ops.length === 0) return result;
          try {
            await this.#ledger.commit(ops, mutation);
            return result;
          } catch (thrown) {
            const conflict = thrown instanceof SpikeError && thrown.code === 'entity_version_conflict';
            if (!conflict || attempt === mostAttempts) throw thrown;
          }
        }
      },
      mutation.signal,
    );
  }

  #checkValues(values: MixedValues): void {
    let bytes = 0;
    for (const [name, value] of Object.entries(values)) {
      if (!isName(name)) {
        throw new SpikeError(
          'data_invalid_input',
          'the name of a value has 1 to 250 characters, of letters, digits, space, - and _',
        );
      }
      const size = sizeOfValue(value);
      if (size > this.#maxValueBytes) {
        throw new SpikeError(
          'api_payload_too_large',
          `a value has at most ${this.#maxValueBytes} bytes here, and one has ${size}: split it, or let SPIKE_NEXUS_MAX_VALUE_BYTES be raised`,
        );
      }
      bytes += name.length + size;
    }
    if (bytes > this.#maxSecretBytes) {
      throw new SpikeError(
        'api_payload_too_large',
        `a secret has at most ${this.#maxSecretBytes} bytes of names and values here, and this has ${bytes}: split it over several paths, or let SPIKE_NEXUS_MAX_SECRET_BYTES be raised`,
      );
    }
  }

  #dropVersions(key: Uint8Array, versions: readonly number[]): readonly Op[] {
    return versions.map((version) => ({
      kind: 'delete',
      table: 'secret_version',
      key: this.#vault.versionKey(key, version),
      expect: 'any',
    }));
  }

  #putMetadata(key: Uint8Array, found: Found | undefined, metadata: SecretMetadata): Op {
    const revision = (found?.row.revision ?? 0) + 1;
    const meta = { revision, version: 0, field: 0 };
    const row = this.#vault.seal('secret', key, meta, encodeMetadata(metadata));
    const expect = found === undefined ? 'absent' : { revision: found.row.revision };
    return { kind: 'put', table: 'secret', row, expect };
  }
}

function notThatVersion(current: number): SpikeError {
  return new SpikeError(
    'entity_version_conflict',
    current === 0
      ? 'there is no current version of this secret: decide again, and put with cas 0'
      : `the current version is ${current}: read it, decide again, and put with cas ${current}`,
    { detail: { current } },
  );
}

function noSuchSecret(): SpikeError {
  return new SpikeError('api_not_found', 'there is no such secret, or no such version of it');
}
