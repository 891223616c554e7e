import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensurePrivateDirectory, readPrivateFile, writePrivateFile } from '@spike/config';
import { SpikeError } from '@spike/error';
import { openFileLock } from '@spike/host';
import { entrySchema, type RegistrationEntry } from '@spike/registry';
import { CertificateAuthority, type TrustDomain } from '@spike/spiffe';
import { z } from 'zod';

const maxKeyFileBytes = 65_536;
const maxEntryFileBytes = 64 * 1_048_576;

const entryFileVersion = 1;
const runFileVersion = 1;
const mostRuns = 10_000;

/** A process that `authority run` bound to one ID, or to none any more. */
export interface SavedRun {
  readonly pid: number;
  /** With the pid it names a process until the next boot. */
  readonly startTime: string;
  /** Undefined when its entry was deleted. */
  readonly spiffeId?: string;
}

/** What the authority keeps on disk: its key and certificate in one 0600 file, and its entries in another. */
export class AuthorityState implements Disposable {
  readonly authority: CertificateAuthority;
  readonly entries: readonly RegistrationEntry[];
  /** Of an earlier process of this authority since the last boot; their processes may have ended. */
  readonly runs: readonly SavedRun[];
  readonly #directory: string;
  readonly #lock: Disposable;

  private constructor(
    directory: string,
    lock: Disposable,
    authority: CertificateAuthority,
    entries: readonly RegistrationEntry[],
    runs: readonly SavedRun[],
  ) {
    this.runs = runs;
    this.#directory = directory;
    this.#lock = lock;
    this.authority = authority;
    this.entries = entries;
  }

  /**
   * Makes the key at the first start. Throws `fs_unsafe` when somebody else could read or write here, and
   * `config_invalid` when another authority runs on this state, or it is of another trust domain or damaged.
   */
  static async open(directory: string, trustDomain: TrustDomain): Promise<AuthorityState> {
    await ensurePrivateDirectory(directory);
    const lock = openFileLock(join(directory, 'lock'));
    if (lock === undefined) {
      throw new SpikeError('config_invalid', `another authority is running on ${directory}; stop it first`);
    }
    try {
      const authority = await openKey(join(directory, 'authority.pem'), trustDomain);
      const entries = await readEntries(entryFile(directory));
      return new AuthorityState(directory, lock, authority, entries, await readRuns(runFile(directory)));
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
  }

  /** Resolves when the entries would survive a crash. */
  async writeEntries(entries: readonly RegistrationEntry[]): Promise<void> {
    const file = { version: entryFileVersion, entries: entries.map((entry) => entrySchema.encode(entry)) };
    await writePrivateFile(entryFile(this.#directory), `${JSON.stringify(file, null, 2)}\n`);
  }

  /** Resolves when they would survive a crash. */
  async writeRuns(runs: readonly SavedRun[]): Promise<void> {
    const file = { version: runFileVersion, boot: await readBootId(), runs };
    await writePrivateFile(runFile(this.#directory), `${JSON.stringify(file)}\n`);
  }

  [Symbol.dispose](): void {
    this.#lock[Symbol.dispose]();
  }
}

function entryFile(directory: string): string {
  return join(directory, 'entry.json');
}

function runFile(directory: string): string {
  return join(directory, 'run.json');
}

async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'latin1')).trim();
}

async function readRuns(path: string): Promise<readonly SavedRun[]> {
  const bytes = await readPrivateFile(path, maxEntryFileBytes);
  if (bytes === undefined) return [];
  try {
    const file = runFileSchema.parse(JSON.parse(bytes.toString('utf8')));
    return file.boot === (await readBootId()) ? file.runs.map(toSavedRun) : [];
  } catch (error) {
    // Without it, processes that were bound to one ID would get what their uid has.
    throw new SpikeError(
      'config_invalid',
      `${path} is damaged; stop what \`authority run\` started, then move it away`,
      {
        cause: error,
      },
    );
  }
}

const runFileSchema = z.strictObject({
  version: z.literal(runFileVersion),
  boot: z.string(),
  runs: z
    .array(z.strictObject({ pid: z.int().min(1), startTime: z.string(), spiffeId: z.string().optional() }))
    .max(mostRuns),
});

function toSavedRun({ pid, startTime, spiffeId }: z.output<typeof runFileSchema>['runs'][number]): SavedRun {
  return { pid, startTime, ...(spiffeId === undefined ? {} : { spiffeId }) };
}

async function openKey(path: string, trustDomain: TrustDomain): Promise<CertificateAuthority> {
  const bytes = await readPrivateFile(path, maxKeyFileBytes);
  if (bytes === undefined) {
    const authority = CertificateAuthority.create({ trustDomain });
    await writePrivateFile(path, authority.certificatePem + authority.exportPrivateKeyPem());
    return authority;
  }
  const authority = loadAuthority(path, bytes.toString('latin1'));
  bytes.fill(0);
  if (!authority.trustDomain.equals(trustDomain)) {
    throw new SpikeError(
      'config_invalid',
      `${path} is of the trust domain ${authority.trustDomain.name}, not of ${trustDomain.name}; ` +
        'choose that one, or another state directory',
    );
  }
  if (authority.certificate.notAfter.getTime() <= Date.now()) {
    throw new SpikeError(
      'config_invalid',
      `the certificate in ${path} has expired; start with a new state directory`,
    );
  }
  return authority;
}

function loadAuthority(path: string, text: string): CertificateAuthority {
  const key = text.indexOf('-----BEGIN PRIVATE KEY-----');
  try {
    return CertificateAuthority.load(text.slice(0, Math.max(key, 0)), text.slice(Math.max(key, 0)));
  } catch (error) {
    throw new SpikeError('config_invalid', `${path} does not hold the key and certificate of an authority`, {
      cause: error,
    });
  }
}

async function readEntries(path: string): Promise<readonly RegistrationEntry[]> {
  const bytes = await readPrivateFile(path, maxEntryFileBytes);
  if (bytes === undefined) return [];
  try {
    return parseEntries(JSON.parse(bytes.toString('utf8')));
  } catch (error) {
    throw new SpikeError(
      'config_invalid',
      `${path} is damaged, or of another release; move it away to start without entries`,
      {
        cause: error,
      },
    );
  }
}

function parseEntries(file: unknown): readonly RegistrationEntry[] {
  if (typeof file !== 'object' || file === null || !('version' in file) || !('entries' in file)) {
    throw new TypeError('not an entry file');
  }
  if (file.version !== entryFileVersion || !Array.isArray(file.entries)) throw new TypeError('version');
  return file.entries.map((entry) => entrySchema.parse(entry));
}
