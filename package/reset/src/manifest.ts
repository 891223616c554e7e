import { SpikeError } from '@spike/error';
import { isAbsolute, relative } from 'node:path';

/** Something of SPIKE that accepts connections while it runs. */
export interface ResetAddress {
  /** What it is, for people: `Nexus`, `Keeper 2`. */
  readonly what: string;
  readonly part: 'nexus' | 'keeper';
  readonly host: string;
  readonly port: number;
}

/** Something that is kept, under another name, so that the next Bootstrap finds nothing in its way. */
export interface ResetAside {
  /** What it is, for people: `audit directory`. */
  readonly what: string;
  readonly path: string;
}

/** The backup that is there to bring the secrets back, as it was when it was verified. */
export interface ResetBackup {
  readonly path: string;
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
  readonly createdAt: Date;
}

export interface ResetCounts {
  readonly secrets: number;
  readonly versions: number;
  readonly policies: number;
  readonly administrators: number;
}

/** Everything that a reset script is made of. */
export interface ResetManifest {
  /** Of this script: names the folders that it moves away. */
  readonly id: string;
  readonly instance: string;
  readonly administrator: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly counts: ResetCounts;
  /** The one directory that is removed. */
  readonly dataDirectory: string;
  readonly anchorFile: string;
  /** Besides the anchor file, which is the first. */
  readonly aside: readonly ResetAside[];
  readonly journal: string;
  readonly addresses: readonly ResetAddress[];
  /** The Node.js that runs Nexus, or the executable that is both; the script tries the addresses with it. */
  readonly node: {
    readonly path: string;
    readonly sha256: string;
    /** It runs the helper that it holds, and no other code. */
    readonly holdsHelper: boolean;
  };
  readonly backup: ResetBackup | undefined;
  /** Whether the settings of Nexus name the instance, which would keep it from beginning anew. */
  readonly pinned: boolean;
}

const digest = /^[0-9a-f]{64}$/;
const mostPathBytes = 4000;
const mostAddresses = 300;

/** Throws `data_invalid_input` with what no script is made of. */
export function assertManifest(manifest: ResetManifest): void {
  const { id, instance, createdAt, expiresAt, dataDirectory, anchorFile, aside, backup, addresses } =
    manifest;
  check(/^\d{14}-[0-9a-f]{8,32}$/.test(id), 'its id is not of the form that is asked for');
  check(/^[A-Za-z0-9-]{8,64}$/.test(instance), 'it names no instance');
  check(expiresAt > createdAt, 'it is over before it begins');
  check(digest.test(manifest.node.sha256), 'the digest of Node.js is none');
  check(
    Object.values(manifest.counts).every((count) => Number.isSafeInteger(count) && count >= 0),
    'a count is none',
  );
  check(addresses.length > 0 && addresses.length <= mostAddresses, 'it has no address to try, or too many');
  for (const { host, port } of addresses)
    check(
      host !== '' && Number.isInteger(port) && port > 0 && port < 65_536,
      `${host}:${port} is no address`,
    );
  const kept = [anchorFile, ...aside.map(({ path }) => path), manifest.journal];
  for (const path of [
    dataDirectory,
    ...kept,
    manifest.node.path,
    ...(backup === undefined ? [] : [backup.path]),
  ])
    check(isAbsolute(path) && Buffer.byteLength(path) < mostPathBytes, `${path} is no absolute path`);
  for (const path of kept) check(!isInside(path, dataDirectory), `${path} lies in the data that are removed`);
  for (const { path } of aside)
    check(!isInside(dataDirectory, path), `the data lie in ${path}, which is to be kept`);
  for (const { path } of aside)
    check(!isInside(manifest.journal, path), `the journal lies in ${path}, which is moved aside`);
  if (backup === undefined) return;
  check(digest.test(backup.sha256) && Number.isSafeInteger(backup.size), 'the backup has no size and digest');
  for (const path of [dataDirectory, ...aside.map((each) => each.path)])
    check(!isInside(backup.path, path), `the backup lies in ${path}: put it elsewhere`);
}

function check(isRight: boolean, problem: string): void {
  if (!isRight) throw new SpikeError('data_invalid_input', `no reset script can be made: ${problem}`);
}

function isInside(path: string, directory: string): boolean {
  const way = relative(directory, path);
  return way === '' || (way !== '..' && !way.startsWith('../') && !isAbsolute(way));
}
