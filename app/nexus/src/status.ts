import type { AuditFile } from '@spike/audit';
import type { NexusTable, OutputOf } from '@spike/contract';
import { toSpikeError } from '@spike/error';
import { currentOf, type IdentitySource, type TlsServer } from '@spike/spiffe';
import type { Store, StoreHealth } from '@spike/store';
import type { BackupService } from './backup/service.ts';
import type { MetricSources } from './metric/metrics.ts';
import type { Custody } from './recovery/custody.ts';
import type { KeeperSet } from './recovery/keeper-set.ts';
import type { Serving } from './serving.ts';
import {
  findOverdue,
  type AdministrationFacts,
  type DoneFacts,
  type StatusSources,
} from './status-source.ts';
import { schemaVersion } from './vault/head.ts';

/** What a status looks at, of what serves. */
interface ServingFacts extends Pick<Serving, 'warnings' | 'verify'> {
  readonly policies: { readonly engine: { readonly size: number } };
  readonly denials: { readonly count: number };
  readonly checkpointer: { readonly problem: string | undefined };
  readonly backups: Pick<BackupService, 'restoring'>;
}

/** The same of where the root key is. */
interface CustodyFacts extends Pick<
  Custody<Serving>,
  'state' | 'message' | 'instanceId' | 'head' | 'askKeepers'
> {
  readonly opened: ServingFacts | undefined;
}

export interface StatusOptions {
  readonly custody: CustodyFacts;
  readonly keepers: Pick<KeeperSet, 'health' | 'shortage'>;
  readonly source: IdentitySource;
  readonly store: Store;
  readonly audit: Pick<AuditFile, 'size' | 'problem'> & { readonly synced: { readonly size: number } };
  readonly threshold: number;
  readonly version: string;
  readonly adminAuth: 'password' | 'svid';
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

type Status = OutputOf<NexusTable['status']>;

/** What `status` answers: the state of Nexus in words and numbers, and nothing that is secret. */
export class StatusReport {
  readonly #options: StatusOptions;
  readonly #now: () => number;
  readonly #startedAt = new Date();
  readonly #sources: Partial<StatusSources>[] = [];
  /** Of the check that runs in the background after each unlocking. */
  #background: string[] = [];
  #server: TlsServer | undefined;

  constructor(options: StatusOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** What another part knows is shown from then on. What was done, problems and warnings of all add up; of the rest the last one counts. */
  plug(sources: Partial<StatusSources>): void {
    this.#sources.push(sources);
  }

  /** What the check in the background found; shown until the next one. */
  noteBackground(problems: readonly string[]): void {
    this.#background = [...problems];
  }

  /** From then on its connections are counted. */
  watchServer(server: TlsServer): void {
    this.#server = server;
  }

  /** The same figures for Prometheus. */
  metrics(ready: () => boolean): MetricSources {
    const { audit, store, source } = this.#options;
    return {
      ready,
      identityEnds: () => (currentOf(source)?.svid.notAfter.getTime() ?? 0) / 1000 || undefined,
      keepers: () => this.#describeKeepers(),
      audit: () => ({ size: audit.size, synced: audit.synced.size }),
      storeBytes: async () => (await store.health()).bytes,
      connections: () => this.#server?.connections ?? 0,
      sessions: () => this.#administration().sessions ?? 0,
      denials: () => this.#countDenials(),
      openAlerts: () => this.#last('alerts')?.() ?? { info: 0, warning: 0, critical: 0 },
    };
  }

  /** Without `detailed`: what a health check needs, for whoever has no session. */
  async describe(
    { verify, detailed }: { readonly verify: boolean; readonly detailed: boolean },
    signal: AbortSignal,
  ): Promise<Status> {
    const { custody, store, version } = this.#options;
    const health = await store.health();
    const verification =
      verify && detailed && custody.opened !== undefined
        ? await this.#verify(custody.opened, signal)
        : undefined;
    const problems = [...new Set([...this.#findProblems(health), ...(verification?.problems ?? [])])];
    const plain = {
      state: custody.state,
      ready: custody.state === 'ready' && custody.opened?.backups.restoring === undefined,
      well: problems.length === 0,
      detailed,
      time: new Date(this.#now()).toISOString(),
      version,
      rootKey: custody.state === 'ready',
      startedAt: this.#startedAt.toISOString(),
      store: { kind: store.kind, schema: schemaVersion },
    };
    const { mode, initialized } = this.#administration();
    const known = initialized === undefined ? {} : { initialized };
    if (!detailed) {
      const keepers = { ...this.#describeKeepers(), list: [] };
      // Why it does not serve is what the first one who looks has to know.
      const first = custody.state === 'ready' ? [] : [custody.message];
      const hidden = problems.length > first.length ? ['something is wrong; log in to see what'] : [];
      const administration = { mode, ...known };
      return { ...plain, keepers, administration, sizes: {}, problems: [...first, ...hidden], warnings: [] };
    }
    const { done, unknown } = await this.#findDone();
    return {
      ...plain,
      ...(custody.instanceId === undefined ? {} : { instance: custody.instanceId }),
      keepers: this.#describeKeepers(),
      ...identityOf(this.#options.source),
      administration: describeAdministration(this.#administration()),
      ...describeDone(done),
      ...this.#describeAlerts(),
      sizes: this.#countSizes(health),
      ...(verification === undefined ? {} : { verify: verification }),
      problems,
      warnings: [...this.#findWarnings(done), ...unknown],
    };
  }

  /** Every record opens, the audit holds, and the Keepers hold shares of this key. */
  async #verify(opened: ServingFacts, signal: AbortSignal): Promise<NonNullable<Status['verify']>> {
    const { custody, keepers } = this.#options;
    const { checked, problems } = await opened.verify(signal);
    await custody.askKeepers(signal);
    // One that was slow once is none that is missing.
    if (keepers.shortage !== undefined) await custody.askKeepers(signal);
    const all = [...problems, ...(keepers.shortage === undefined ? [] : [keepers.shortage.message])];
    return { ok: all.length === 0, checked, problems: all };
  }

  #findProblems(health: StoreHealth): readonly string[] {
    const { custody, keepers, audit, source } = this.#options;
    const { shortage } = keepers;
    return [
      ...(custody.state === 'ready' ? [] : [custody.message]),
      ...(shortage === undefined || custody.state !== 'ready' ? [] : [shortage.message]),
      ...(health.problem === undefined ? [] : [health.problem]),
      ...[audit.problem ?? [], custody.opened?.checkpointer.problem ?? []].flat(),
      ...(source.state === 'unreachable'
        ? ['the agent does not answer, so the identity is not renewed']
        : []),
      ...(custody.opened?.warnings ?? []),
      ...describeRestore(custody.opened),
      ...this.#background,
      ...this.#sources.flatMap(({ problems }) => problems?.() ?? []),
    ];
  }

  #findWarnings(done: DoneFacts | undefined): readonly string[] {
    const { mode, weaklyBound = [], initializedAt } = this.#administration();
    const open = this.#last('alerts')?.();
    const count = open === undefined ? 0 : open.info + open.warning + open.critical;
    return [
      ...(mode === 'svid'
        ? [
            'whoever has a superuser SVID is an administrator: SPIKE_NEXUS_ADMIN_AUTH=svid turns the second layer off',
          ]
        : []),
      ...(weaklyBound.length === 0
        ? []
        : [
            `${weaklyBound.join(', ')}: bound to an ID that others may have, too; give each administrator an own one below the role`,
          ]),
      ...(count === 0 ? [] : [`${count} open alerts: spike alert list`]),
      ...(done === undefined ? [] : findOverdue(done, initializedAt, this.#now())),
      ...this.#sources.flatMap(({ warnings }) => warnings?.() ?? []),
    ];
  }

  #administration(): AdministrationFacts {
    return this.#last('administration')?.() ?? { mode: this.#options.adminAuth };
  }

  #last<Name extends keyof StatusSources>(name: Name): StatusSources[Name] | undefined {
    return this.#sources.findLast((source) => source[name] !== undefined)?.[name];
  }

  #describeKeepers(): Status['keepers'] {
    const { custody, keepers, threshold } = this.#options;
    const list = keepers.health.map((keeper) => ({ ...keeper }));
    return {
      reachable: list.filter((keeper) => keeper.reachable).length,
      holding: list.filter((keeper) => keeper.holdsShare).length,
      required: custody.head?.splits.find(({ purpose }) => purpose === 'keeper')?.threshold ?? threshold,
      enough: keepers.shortage === undefined && custody.state !== 'locked',
      list,
    };
  }

  /** Each part knows of its own duty. What one cannot tell, and why, keeps nobody from the rest. */
  async #findDone(): Promise<{ readonly done: DoneFacts | undefined; readonly unknown: readonly string[] }> {
    const known = this.#sources.flatMap(({ done }) => (done === undefined ? [] : [done]));
    if (known.length === 0) return { done: undefined, unknown: [] };
    const told = await Promise.allSettled(known.map(async (done) => await done()));
    return {
      done: Object.assign({}, ...told.map((one) => (one.status === 'fulfilled' ? one.value : {}))),
      unknown: told.flatMap((one) =>
        one.status === 'fulfilled'
          ? []
          : [`when something was done last cannot be told: ${toSpikeError(one.reason).message}`],
      ),
    };
  }

  #describeAlerts(): Pick<Status, 'alerts'> {
    const open = this.#last('alerts')?.();
    return open === undefined ? {} : { alerts: { ...open } };
  }

  #countSizes(health: StoreHealth): Status['sizes'] {
    const { custody, audit } = this.#options;
    return {
      policies: custody.opened?.policies.engine.size ?? 0,
      denials: this.#countDenials(),
      auditLines: audit.size,
      storeBytes: health.bytes,
      ...this.#countConnections(),
    };
  }

  /** In force now. */
  #countDenials(): number {
    return this.#options.custody.opened?.denials.count ?? 0;
  }

  /** Those of now, and since the start: refused in the handshake, beyond a limit, and requests that were none. */
  #countConnections(): Record<string, number> {
    if (this.#server === undefined) return {};
    const { connections, unverified, tally } = this.#server;
    return {
      connections,
      handshakes: unverified,
      refusedConnections: tally.refused,
      crowdedConnections: tally.crowded,
      malformedRequests: tally.malformed,
    };
  }
}

function describeDone(done: DoneFacts | undefined): Pick<Status, 'done'> {
  if (done === undefined) return {};
  const entries = Object.entries(done).flatMap(([name, at]) =>
    typeof at === 'number' ? [[name, at] as const] : [],
  );
  return { done: Object.fromEntries(entries.map(([name, at]) => [name, new Date(at).toISOString()])) };
}

function describeAdministration(facts: AdministrationFacts): Status['administration'] {
  const { mode, initialized, initializedAt, initializedBy, sessions, nextExpiry, weaklyBound } = facts;
  return {
    mode,
    ...(initialized === undefined ? {} : { initialized }),
    ...(initializedAt === undefined ? {} : { initializedAt: new Date(initializedAt).toISOString() }),
    ...(initializedBy === undefined ? {} : { initializedBy }),
    ...(sessions === undefined ? {} : { sessions }),
    ...(nextExpiry === undefined ? {} : { nextExpiry: new Date(nextExpiry).toISOString() }),
    ...(weaklyBound === undefined ? {} : { weaklyBound: [...weaklyBound] }),
  };
}

function identityOf(source: IdentitySource): Pick<Status, 'identity'> {
  const svid = currentOf(source)?.svid;
  if (svid === undefined) return {};
  return {
    identity: { id: svid.id.toString(), expiresAt: svid.notAfter.toISOString(), state: source.state },
  };
}

function describeRestore(opened: ServingFacts | undefined): readonly string[] {
  const restoring = opened?.backups.restoring;
  if (restoring === undefined) return [];
  return [
    `a backup of instance ${restoring.instance} is being restored, and nothing else is served: go on with ` +
      '`spike backup restore`, or take it back with `spike backup restore --abort`',
  ];
}
