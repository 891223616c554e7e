import type { Socket } from 'node:net';
import type { Log } from '@spike/log';
import type { RegistrationEntry } from '@spike/registry';
import {
  SpiffeError,
  SpiffeId,
  X509BundleSet,
  type CertificateAuthority,
  type WorkloadHandler,
  type X509Context,
  type X509Svid,
} from '@spike/spiffe';
import type { Attestor } from './attest.ts';
import { entitle } from './entitle.ts';
import type { EntryList } from './entry-list.ts';
import type { Pulse } from './pulse.ts';

export interface IssuerOptions {
  readonly authority: CertificateAuthority;
  readonly entries: EntryList;
  readonly attestor: Attestor;
  readonly changed: Pulse;
  /** False while it is not known yet which processes are parts (W-4). */
  readonly isReady: () => boolean;
  readonly svidLifetimeMs: number;
  readonly rotateEveryMs: number;
  readonly log: Log;
}

/** How soon a stream ends whose process died while another one kept its connection open. */
const checkEveryMs = 1_000;

/** Answers the Workload API: to each process the SVIDs of its entries, with keys that no other stream gets. */
export class Issuer implements WorkloadHandler {
  readonly #options: IssuerOptions;
  readonly #bundles: X509BundleSet;
  readonly #denied = new WeakSet<Socket>();
  #streams = 0;

  constructor(options: IssuerOptions) {
    this.#options = options;
    this.#bundles = X509BundleSet.of(options.authority.bundle());
  }

  get streams(): number {
    return this.#streams;
  }

  accept(peer: Socket): void {
    this.#options.attestor.hold(peer);
  }

  /** Each change of the entries and each rotation is a whole new answer; `permission_denied` ends it (W-3). */
  async *watchX509(peer: Socket, signal: AbortSignal): AsyncGenerator<X509Context, void, undefined> {
    const held = new StreamSvids(this.#options);
    for await (const { entries, pid } of this.#watchEntries(peer, signal, () => held.rotateAt)) {
      if (!held.update(entries)) continue;
      this.#options.log.info('svid.issued', { pid, spiffeIds: entries.map(({ spiffeId }) => spiffeId) });
      yield { svids: held.svids, bundles: this.#bundles };
    }
  }

  async *watchX509Bundles(peer: Socket, signal: AbortSignal): AsyncGenerator<X509BundleSet, void, undefined> {
    let isTold = false;
    for await (const _entitled of this.#watchEntries(peer, signal, () => Number.POSITIVE_INFINITY)) {
      if (!isTold) yield this.#bundles;
      isTold = true;
    }
  }

  /** The entries of this process: at once, when they may have changed, and when the time comes that `dueAt` names. */
  async *#watchEntries(
    peer: Socket,
    signal: AbortSignal,
    dueAt: () => number,
  ): AsyncGenerator<
    { readonly entries: readonly RegistrationEntry[]; readonly pid: number },
    void,
    undefined
  > {
    this.#streams += 1;
    try {
      while (!signal.aborted) {
        using armed = this.#options.changed.arm(signal);
        yield await this.#entitled(peer);
        await armed.wait(Math.min(dueAt() - performance.now(), checkEveryMs));
      }
    } finally {
      this.#streams -= 1;
    }
  }

  async #entitled(
    peer: Socket,
  ): Promise<{ readonly entries: readonly RegistrationEntry[]; readonly pid: number }> {
    const { attestor, entries, log, isReady } = this.#options;
    // A part that is not registered yet would look like any process of its uid, and like one that lost its identity.
    if (!isReady()) throw new SpiffeError('unavailable', 'the authority is starting');
    const withDigest = entries.usesDigest;
    const attestation = await attestor.attest(peer, withDigest);
    if (attestation === undefined) {
      throw new SpiffeError('permission_denied', 'the process that opened this connection has ended');
    }
    if (entries.usesDigest && !withDigest) return this.#entitled(peer);
    const entitled = entitle(entries.inForce(), attestation);
    if (entitled.length > 0) return { entries: entitled, pid: attestation.pid };
    // Once a connection: workloads that wait for their entry ask again every second.
    if (!this.#denied.has(peer)) log.info('svid.denied', { pid: attestation.pid, uid: attestation.uid });
    this.#denied.add(peer);
    throw new SpiffeError('permission_denied', 'no registration entry matches this process');
  }
}

/** The SVIDs of one stream: kept while their entries stay and their time has not come. */
class StreamSvids {
  readonly #options: IssuerOptions;
  #held: readonly { readonly spiffeId: string; readonly svid: X509Svid }[] = [];
  #rotateAt = 0;

  constructor(options: IssuerOptions) {
    this.#options = options;
  }

  /** On the clock of `performance.now()`. */
  get rotateAt(): number {
    return this.#rotateAt;
  }

  get svids(): readonly X509Svid[] {
    return this.#held.map(({ svid }) => svid);
  }

  /** True when there is something new to tell. */
  update(entries: readonly RegistrationEntry[]): boolean {
    const now = performance.now();
    const isDue = now >= this.#rotateAt;
    const isSame =
      entries.length === this.#held.length &&
      entries.every((entry, index) => entry.spiffeId === this.#held[index]?.spiffeId);
    if (isSame && !isDue) return false;
    const kept = new Map(isDue ? [] : this.#held.map(({ spiffeId, svid }) => [spiffeId, svid]));
    this.#held = entries.map(({ spiffeId }) => ({
      spiffeId,
      svid: kept.get(spiffeId) ?? this.#issue(spiffeId),
    }));
    if (isDue) this.#rotateAt = now + this.#options.rotateEveryMs;
    return true;
  }

  #issue(spiffeId: string): X509Svid {
    const { authority, svidLifetimeMs } = this.#options;
    return authority.issueX509Svid({ id: SpiffeId.parse(spiffeId), lifetimeMs: svidLifetimeMs });
  }
}
