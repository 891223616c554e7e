import type { Socket } from 'node:net';
import type { Log } from '@spike/log';
import type { RegistrationEntry } from '@spike/registry';
import {
  JwtBundleSet,
  SpiffeError,
  SpiffeId,
  verifyJwtSvid,
  X509BundleSet,
  type CertificateAuthority,
  type JwtSvid,
  type JwtSvidQuery,
  type JwtWorkloadHandler,
  type VerifiedToken,
  type WorkloadHandler,
  type X509Context,
  type X509Svid,
} from '@spike/spiffe';
import type { Attestor } from './attest.ts';
import { entitle } from './entitle.ts';
import type { Federation } from './federation.ts';
import type { JwtKeys } from './jwt-keys.ts';
import type { EntryList } from './entry-list.ts';
import type { Pulse } from './pulse.ts';

export interface IssuerOptions {
  readonly authority: CertificateAuthority;
  readonly entries: EntryList;
  readonly attestor: Attestor;
  readonly jwtKeys: JwtKeys;
  readonly federation: Federation;
  readonly changed: Pulse;
  /** False while it is not known yet which processes are parts (W-4). */
  readonly isReady: () => boolean;
  readonly svidLifetimeMs: number;
  readonly rotateEveryMs: number;
  readonly log: Log;
}

/** How soon a stream ends whose process died while another one kept its connection open. */
const checkEveryMs = 1_000;
/** Of a token, or the life of an SVID where that is shorter: whoever has it is believed, so it is short. */
const longestTokenMs = 300_000;

interface Entitled {
  readonly entries: readonly RegistrationEntry[];
  readonly pid: number;
}

/** Answers the Workload API: to each process the SVIDs of its entries, with keys that no other stream gets. */
export class Issuer implements WorkloadHandler {
  readonly #options: IssuerOptions;
  readonly #denied = new WeakSet<Socket>();
  #streams = 0;

  constructor(options: IssuerOptions) {
    this.#options = options;
  }

  readonly jwt: JwtWorkloadHandler = {
    fetchSvids: (peer, query) => this.#issueTokens(peer, query),
    watchBundles: (peer, signal) => this.#watchJwtBundles(peer, signal),
    validate: (peer, token) => this.#validate(peer, token),
  };

  get streams(): number {
    return this.#streams;
  }

  accept(peer: Socket): void {
    this.#options.attestor.hold(peer);
  }

  /** Each change of the entries and each rotation is a whole new answer; `permission_denied` ends it (W-3). */
  async *watchX509(peer: Socket, signal: AbortSignal): AsyncGenerator<X509Context, void, undefined> {
    const held = new StreamSvids(this.#options);
    let told: string | undefined;
    for await (const { entries, pid } of this.#watchEntries(peer, signal, () => held.rotateAt)) {
      const isNew = held.update(entries);
      const version = this.#bundleVersion(entries);
      if (isNew)
        this.#options.log.info('svid.issued', { pid, spiffeIds: entries.map(({ spiffeId }) => spiffeId) });
      if (isNew || version !== told) yield { svids: held.svids, bundles: this.#x509Bundles(entries) };
      told = version;
    }
  }

  async *watchX509Bundles(peer: Socket, signal: AbortSignal): AsyncGenerator<X509BundleSet, void, undefined> {
    for await (const entries of this.#watchBundleEntries(peer, signal)) yield this.#x509Bundles(entries);
  }

  async *#watchJwtBundles(peer: Socket, signal: AbortSignal): AsyncGenerator<JwtBundleSet, void, undefined> {
    for await (const entries of this.#watchBundleEntries(peer, signal)) yield this.#jwtBundles(entries);
  }

  async #issueTokens(peer: Socket, { audience, id }: JwtSvidQuery): Promise<readonly JwtSvid[]> {
    const { entries, pid } = await this.#entitled(peer);
    const { jwtKeys, svidLifetimeMs, log } = this.#options;
    const wanted = entries.filter(({ spiffeId }) => id === undefined || spiffeId === id.toString());
    const lifetimeMs = Math.min(longestTokenMs, svidLifetimeMs);
    const svids = wanted.map(({ spiffeId }) =>
      jwtKeys.authority.issueJwtSvid({ id: SpiffeId.parse(spiffeId), audience, lifetimeMs }),
    );
    log.info(svids.length > 0 ? 'token.issued' : 'token.denied', {
      pid,
      spiffeIds: wanted.map(({ spiffeId }) => spiffeId),
    });
    return svids;
  }

  async #validate(
    peer: Socket,
    { token, audience }: { readonly token: string; readonly audience: string },
  ): Promise<VerifiedToken> {
    const { entries } = await this.#entitled(peer);
    return verifyJwtSvid(token, this.#jwtBundles(entries), { audience });
  }

  /** Once for each change of the bundles that these entries get. */
  async *#watchBundleEntries(
    peer: Socket,
    signal: AbortSignal,
  ): AsyncGenerator<readonly RegistrationEntry[], void, undefined> {
    let told: string | undefined;
    for await (const { entries } of this.#watchEntries(peer, signal, () => Number.POSITIVE_INFINITY)) {
      const version = this.#bundleVersion(entries);
      if (version !== told) yield entries;
      told = version;
    }
  }

  /** Its own trust domain, and those that its entries federate with: a process sees the bundles of all its entries. */
  #x509Bundles(entries: readonly RegistrationEntry[]): X509BundleSet {
    const { authority, federation } = this.#options;
    const others = federation.bundlesOf(namesOf(entries)).map((bundle) => bundle.x509Bundle());
    return X509BundleSet.of(authority.bundle(), ...others);
  }

  #jwtBundles(entries: readonly RegistrationEntry[]): JwtBundleSet {
    const { jwtKeys, federation } = this.#options;
    const others = federation.bundlesOf(namesOf(entries)).map((bundle) => bundle.jwtBundle());
    return JwtBundleSet.of(jwtKeys.authority.bundle(), ...others);
  }

  #bundleVersion(entries: readonly RegistrationEntry[]): string {
    const { jwtKeys, federation } = this.#options;
    const bundles = federation.bundlesOf(namesOf(entries));
    return [
      String(jwtKeys.bundle.sequence),
      ...bundles.map((bundle) => `${bundle.trustDomain.name} ${bundle.marshal()}`),
    ].join('\n');
  }

  /** The entries of this process: at once, when they may have changed, and when the time comes that `dueAt` names. */
  async *#watchEntries(
    peer: Socket,
    signal: AbortSignal,
    dueAt: () => number,
  ): AsyncGenerator<Entitled, void, undefined> {
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

  async #entitled(peer: Socket): Promise<Entitled> {
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

function namesOf(entries: readonly RegistrationEntry[]): readonly string[] {
  return entries.flatMap(({ federatesWith }) => federatesWith).toSorted();
}

/** The SVIDs of one stream: kept while their entries stay and their time has not come. */
class StreamSvids {
  readonly #options: IssuerOptions;
  #held: readonly { readonly spiffeId: string; readonly svid: X509Svid }[] = [];
  #rotateAt = 0;
  /** How far the clock of the wall was ahead of the one of timers when these were issued, in milliseconds. */
  #wallOffset = 0;

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
    const wallOffset = Date.now() - now;
    // What was issued before the clock was put on may be over now, and what comes before it was put back not good yet.
    const isClockSet = Math.abs(wallOffset - this.#wallOffset) > this.#options.rotateEveryMs / 4;
    const isDue = now >= this.#rotateAt || isClockSet;
    const isSame =
      entries.length === this.#held.length &&
      entries.every((entry, index) => entry.spiffeId === this.#held[index]?.spiffeId);
    if (isSame && !isDue) return false;
    const kept = new Map(isDue ? [] : this.#held.map(({ spiffeId, svid }) => [spiffeId, svid]));
    this.#held = entries.map(({ spiffeId }) => ({
      spiffeId,
      svid: kept.get(spiffeId) ?? this.#issue(spiffeId),
    }));
    if (isDue) {
      this.#rotateAt = now + this.#options.rotateEveryMs;
      this.#wallOffset = wallOffset;
    }
    return true;
  }

  #issue(spiffeId: string): X509Svid {
    const { authority, svidLifetimeMs } = this.#options;
    return authority.issueX509Svid({ id: SpiffeId.parse(spiffeId), lifetimeMs: svidLifetimeMs });
  }
}
