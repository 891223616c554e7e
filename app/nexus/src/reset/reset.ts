import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { SpikeError } from '@spike/error';
import {
  appendStep,
  lastDryRun,
  readJournal,
  writeScript,
  type ResetBackup,
  type ResetCounts,
  type ResetManifest,
} from '@spike/reset';
import type { RequestContext } from '@spike/server';
import type { Ledger } from '../vault/port.ts';
import type { ResetKeys, ResetPublicKey } from '../vault/reset-key.ts';
import { countRecords } from './count.ts';
import type { ResetPlace } from './place.ts';
import type { ResetPorts } from './port.ts';

export interface ResetServiceOptions {
  readonly instance: string;
  readonly keys: ResetKeys;
  readonly ledger: Pick<Ledger, 'list'>;
  /** Undefined for a store in memory. */
  readonly place: ResetPlace | undefined;
  readonly ports: ResetPorts;
  readonly now?: () => Date;
}

/** An administrator, as much of him as the guard of a reset route grants. */
export interface ResetGrant {
  readonly peer: { readonly id: { toString(): string } };
  readonly permission: { readonly privilege: 'reset.explain' | 'reset.print' };
  readonly administrator: { readonly name: string } | undefined;
}

export interface ResetExplanation {
  readonly instance: string;
  readonly counts: ResetCounts;
  readonly place: ResetPlace;
  readonly newestBackup: Date | undefined;
  readonly lastDryRun: Date | undefined;
}

export interface PrintedScript {
  readonly script: string;
  readonly keyId: string;
  readonly expiresAt: Date;
}

const validMs = 3_600_000;

/** Explains a factory reset and prints its script. Nothing here, and nothing else of SPIKE, runs one. */
export class ResetService {
  readonly #options: ResetServiceOptions;

  constructor(options: ResetServiceOptions) {
    this.#options = options;
  }

  /** What would be lost. Throws `api_bad_request` for a store in memory. */
  async explain(grant: ResetGrant, signal: AbortSignal): Promise<ResetExplanation> {
    const { instance, ledger, ports } = this.#options;
    this.#tell(grant, 'explain');
    const place = this.#place();
    const [counts, newestBackup, dryRun] = await Promise.all([
      countRecords(ledger, signal),
      ports.backups.newest(),
      this.lastDryRun(),
    ]);
    return { instance, counts, place, newestBackup, lastDryRun: dryRun };
  }

  /**
   * The script, for the instance that was typed. With a backup the holders of recovery shares have to approve first, since
   * the backup is worth nothing without them. Throws `approval_required`, `data_invalid_input`, what `explain` does, and what
   * the check of the session throws.
   */
  async print(
    grant: ResetGrant,
    request: { readonly instance: string; readonly backup: ResetBackup | undefined },
    { signal, check }: Pick<RequestContext, 'signal' | 'check'>,
  ): Promise<PrintedScript> {
    const { instance, ledger, keys, ports, now = () => new Date() } = this.#options;
    this.#tell(grant, 'print');
    const place = this.#place();
    if (request.instance !== instance)
      throw new SpikeError(
        'data_invalid_input',
        `the instance that runs here is ${instance}; nothing was printed`,
      );
    const administrator = nameOf(grant);
    const createdAt = now();
    const manifest: ResetManifest = {
      id: newScriptId(createdAt),
      instance,
      administrator,
      createdAt,
      expiresAt: new Date(createdAt.getTime() + validMs),
      counts: await countRecords(ledger, signal),
      dataDirectory: place.dataDirectory,
      anchorFile: place.anchorFile,
      aside: place.aside,
      journal: place.journal,
      addresses: place.addresses(),
      node: { path: place.node.path, sha256: await place.node.sha256(), holdsHelper: place.node.holdsHelper },
      backup: request.backup,
      pinned: place.pinned,
    };
    const script = await writeScript(manifest, keys.current);
    // In one turn: a request whose session is gone uses nothing up.
    check();
    if (request.backup !== undefined)
      ports.approvals.require({ kind: 'reset', target: instance, administrator });
    await this.#note(manifest, place.journal);
    return { script, keyId: keys.published[0]?.id ?? '', expiresAt: manifest.expiresAt };
  }

  /** What scripts of this instance are verified with. */
  get keys(): { readonly instance: string; readonly keys: readonly ResetPublicKey[] } {
    return { instance: this.#options.instance, keys: this.#options.keys.published };
  }

  /** When a dry run of this instance last passed. Undefined where the journal tells of none. Throws `fs_unsafe`. */
  async lastDryRun(): Promise<Date | undefined> {
    const { place, instance } = this.#options;
    if (place === undefined) return undefined;
    return lastDryRun(await readJournal(place.journal), instance);
  }

  /** The same in milliseconds since 1970. A journal that cannot be read tells of none, and is no reason to tell nothing else. */
  async lastTested(): Promise<number | undefined> {
    const found = await this.lastDryRun().catch(() => undefined);
    return found?.getTime();
  }

  #place(): ResetPlace {
    const { place } = this.#options;
    if (place !== undefined) return place;
    throw new SpikeError(
      'api_bad_request',
      'a store in memory is gone when Nexus ends: there is nothing to reset, stop Nexus',
    );
  }

  #tell(grant: ResetGrant, action: 'explain' | 'print'): void {
    const { instance, ports } = this.#options;
    ports.alerts.raise({
      kind: 'reset_attempt',
      subject: nameOf(grant),
      message:
        action === 'print'
          ? 'the script of a factory reset was asked for'
          : 'somebody asked what a factory reset would remove',
      detail: { action, instance },
    });
  }

  /** The journal begins with who printed the script: a run of it that nobody expects can be traced. */
  async #note(
    { id, instance, administrator, createdAt, expiresAt }: ResetManifest,
    path: string,
  ): Promise<void> {
    try {
      await appendStep(path, {
        time: createdAt,
        script: id,
        instance,
        user: administrator,
        host: hostname(),
        step: 'printed',
        detail: `valid until ${expiresAt.toISOString()}`,
      });
    } catch (cause) {
      if (cause instanceof SpikeError) throw cause;
      throw new SpikeError('store_failed', `the reset journal ${path} cannot be written; free some space`, {
        cause,
      });
    }
  }
}

/** In svid mode nobody has a name but the SVID. */
function nameOf({ administrator, peer }: ResetGrant): string {
  return administrator?.name || peer.id.toString();
}

function newScriptId(time: Date): string {
  const digits = time.toISOString().replaceAll(/\D/g, '').slice(0, 14);
  return `${digits}-${randomBytes(4).toString('hex')}`;
}
