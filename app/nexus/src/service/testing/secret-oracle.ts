import type { MixedValues } from '@spike/contract';
import type { SecretNotes } from '../secret-note.ts';

/* What secrets and policies are, told once in the plainest way. Whoever is asked to believe the service compares it with this. */

export type Outcome = number | 'done' | 'missing' | 'conflict';

interface Version {
  readonly values: MixedValues;
  deleted: boolean;
}

interface Secret {
  highest: number;
  max: number;
  readonly versions: Map<number, Version>;
  notes: SecretNotes;
}

export interface OraclePolicy {
  readonly spiffePattern: string;
  readonly peers: readonly string[];
  readonly pathPattern: string;
  readonly covers: (path: string) => boolean;
  readonly permissions: readonly string[];
}

/** What a reader of the metadata sees, times left out. */
export interface Overview {
  readonly current: number;
  readonly oldest: number;
  readonly max: number;
  readonly versions: readonly (readonly [number, boolean])[];
  readonly notes: SecretNotes;
}

export class SecretOracle {
  readonly secrets = new Map<string, Secret>();
  readonly policies = new Map<string, OraclePolicy>();
  readonly #defaultMax: number;

  constructor(defaultMax: number) {
    this.#defaultMax = defaultMax;
  }

  current(path: string): number {
    return Math.max(0, ...this.#alive(path));
  }

  put(
    path: string,
    values: MixedValues,
    { cas, maxVersions }: { cas?: number; maxVersions?: number },
  ): Outcome {
    if (cas !== undefined && cas !== this.current(path)) return 'conflict';
    const made = { highest: 0, max: this.#defaultMax, versions: new Map<number, Version>(), notes: {} };
    const secret: Secret = this.secrets.get(path) ?? made;
    this.secrets.set(path, secret);
    secret.highest += 1;
    secret.versions.set(secret.highest, { values, deleted: false });
    this.#prune(secret, maxVersions ?? secret.max);
    return secret.highest;
  }

  get(path: string, version: number): MixedValues | 'missing' {
    const found = this.secrets.get(path)?.versions.get(version === 0 ? this.current(path) : version);
    return found === undefined || found.deleted ? 'missing' : found.values;
  }

  delete(path: string, versions: readonly number[]): Outcome {
    const secret = this.secrets.get(path);
    if (secret === undefined) return 'missing';
    const current = this.current(path);
    for (const number of versions.length === 0 ? [0] : versions) {
      const version = secret.versions.get(number === 0 ? current : number);
      if (version !== undefined) version.deleted = true;
    }
    return 'done';
  }

  undelete(path: string, versions: readonly number[]): Outcome {
    const secret = this.secrets.get(path);
    const deleted = [...(secret?.versions ?? [])].filter(([, version]) => version.deleted);
    const newest = deleted.at(-1)?.[0];
    const wanted = (versions.length === 0 ? [0] : versions).map((number) => (number === 0 ? newest : number));
    const returning = deleted.filter(([number]) => wanted.includes(number));
    for (const [, version] of returning) version.deleted = false;
    return returning.length === 0 ? 'missing' : 'done';
  }

  destroy(path: string, versions: readonly number[] | 'all'): Outcome {
    const secret = this.secrets.get(path);
    if (secret === undefined) return 'missing';
    if (versions === 'all') this.secrets.delete(path);
    else for (const number of versions) secret.versions.delete(number);
    return 'done';
  }

  setMetadata(path: string, { maxVersions, ...notes }: SecretNotes & { maxVersions?: number }): Outcome {
    const secret = this.secrets.get(path);
    if (secret === undefined) return 'missing';
    this.#prune(secret, maxVersions ?? secret.max);
    const { owner = '', description = '', labels = {} } = { ...secret.notes, ...notes };
    secret.notes = {
      ...(owner === '' ? {} : { owner }),
      ...(description === '' ? {} : { description }),
      ...(Object.keys(labels).length === 0 ? {} : { labels }),
    };
    return 'done';
  }

  overview(path: string): Overview | 'missing' {
    const secret = this.secrets.get(path);
    if (secret === undefined) return 'missing';
    const alive = this.#alive(path);
    return {
      current: this.current(path),
      oldest: alive.length === 0 ? 0 : Math.min(...alive),
      max: secret.max,
      versions: [...secret.versions].map(([number, { deleted }]) => [number, deleted]),
      notes: secret.notes,
    };
  }

  list(prefix: string, recursive: boolean, passes: (path: string) => boolean): readonly string[] {
    const start = prefix.replace(/^\//, '');
    const directory = start.slice(0, start.lastIndexOf('/') + 1);
    const keys = [...this.secrets.keys()]
      .filter((path) => path.startsWith(start) && passes(path))
      .map((path) => {
        const slash = path.indexOf('/', directory.length);
        return recursive || slash < 0 ? path : path.slice(0, slash + 1);
      });
    return [...new Set(keys)].toSorted();
  }

  allows(peer: string, action: string, path: string): boolean {
    return this.#of(peer, action).some((policy) => policy.covers(path));
  }

  allowsAnywhere(peer: string, action: string): boolean {
    return this.#of(peer, action).length > 0;
  }

  #of(peer: string, action: string): readonly OraclePolicy[] {
    const gives = (permission: string): boolean => permission === action || permission === 'super';
    return [...this.policies.values()].filter(
      (policy) => policy.peers.includes(peer) && policy.permissions.some(gives),
    );
  }

  #alive(path: string): readonly number[] {
    const versions = this.secrets.get(path)?.versions ?? new Map<number, Version>();
    return [...versions].filter(([, version]) => !version.deleted).map(([number]) => number);
  }

  #prune(secret: Secret, max: number): void {
    secret.max = max;
    for (const number of [...secret.versions.keys()].slice(0, -max)) secret.versions.delete(number);
  }
}
