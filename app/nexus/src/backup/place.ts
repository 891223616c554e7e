import { SecretPath } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { Row, Table } from '@spike/store';
import { administratorKey, decodeAdministrator } from '../admin/administrator-record.ts';
import { decodeDenial, denialKey, isDenial } from '../denial/record.ts';
import { restorePolicy } from '../policy/policy.ts';
import { decodePolicy } from '../service/policy-record.ts';
import { damaged } from '../service/record.ts';
import { decodeMetadata } from '../service/secret-record.ts';
import { readPlace } from '../service/secret-values.ts';
import type { Vault } from '../vault/port.ts';

/** A record that a restore brings back: where it belongs under the keys of a vault, and what people are told of it. */
export interface Place {
  keyIn(vault: Vault): Uint8Array;
  /** The name of a policy, an administrator or a denial; undefined for what is only counted. */
  readonly name?: string;
  /** Of an administrator. */
  readonly isDisabled?: boolean;
}

/** Undefined for a record that stays behind. */
type Finder = (plaintext: Uint8Array, row: Row) => Place | undefined;

/** Where records of a table belong. What is not here stays behind: it tells of the instance that the backup is of. */
export type Finders = Partial<Readonly<Record<Table, Finder>>>;

export const finders: Finders = {
  secret: (plaintext) => {
    const { segments } = parsePath(decodeMetadata(plaintext).path);
    return { keyIn: (vault) => vault.key('secret', segments) };
  },
  secret_version: (plaintext, row) => {
    const { path, version } = readPlace(plaintext);
    if (version !== row.version) throw damaged('a version of a secret has another number than its row');
    const { segments } = parsePath(path);
    return { keyIn: (vault) => vault.versionKey(vault.key('secret', segments), version) };
  },
  policy: (plaintext) => {
    const record = decodePolicy(plaintext);
    // One that does not compile here would keep Nexus from opening its policies afterwards.
    restorePolicy(record);
    const { tenant, name } = record;
    return {
      keyIn: (vault) => vault.key('policy', [tenant, name]),
      name: tenant === '' ? name : `${name} (${tenant})`,
    };
  },
  administrator: (plaintext) => {
    const { name, state } = decodeAdministrator(plaintext);
    return { keyIn: (vault) => administratorKey(vault, name), name, isDisabled: state === 'disabled' };
  },
  setting: (plaintext) => {
    if (!isDenial(plaintext)) return undefined;
    const { subject } = decodeDenial(plaintext);
    return { keyIn: (vault) => denialKey(vault, subject), name: subject };
  },
};

function parsePath(text: string): SecretPath {
  try {
    return SecretPath.parse(text);
  } catch (cause) {
    throw cause instanceof SpikeError ? damaged('a secret has a path that is none', cause) : cause;
  }
}
