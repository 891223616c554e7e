import type { Observed } from '@spike/server';
import type { Store } from '@spike/store';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import { alertKinds, severities, type AlertKind, type Severity } from '../alert/kind.ts';

/** What is counted elsewhere and read when Prometheus asks. */
export interface MetricSources {
  readonly ready: () => boolean;
  /** Seconds since 1970; undefined without an identity. */
  readonly identityEnds: () => number | undefined;
  readonly keepers: () => { readonly reachable: number; readonly holding: number; readonly required: number };
  readonly audit: () => { readonly size: number; readonly synced: number };
  readonly storeBytes: () => Promise<number>;
  readonly connections: () => number;
  readonly sessions: () => number;
  readonly denials: () => number;
  readonly openAlerts: () => Readonly<Record<Severity, number>>;
}

const prefix = 'spike_nexus_';
/** Seconds, about what a get, a put and a login take. */
const requestBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const commitBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5];

/** The figures of Nexus for Prometheus. No label has a path, a SPIFFE ID or a name: all of them come from tables in the code. */
export class Metrics {
  readonly #registry = new Registry();
  readonly #requests: Histogram<'route' | 'outcome'>;
  readonly #logins: Counter<'outcome'>;
  readonly #alerts: Counter<'kind' | 'severity'>;
  readonly #deniedRequests: Counter;
  readonly #commits: Histogram;

  constructor() {
    const registers = [this.#registry];
    this.#requests = new Histogram({
      name: `${prefix}request_duration_seconds`,
      help: 'Requests by route and outcome (ok, denied, failed), from their arrival to their audit record',
      labelNames: ['route', 'outcome'],
      buckets: requestBuckets,
      registers,
    });
    this.#logins = new Counter({
      name: `${prefix}logins_total`,
      help: 'Logins by outcome (ok, denied, failed)',
      labelNames: ['outcome'],
      registers,
    });
    this.#alerts = new Counter({
      name: `${prefix}alerts_total`,
      help: 'Alerts raised, those that are counted in an open one included',
      labelNames: ['kind', 'severity'],
      registers,
    });
    this.#deniedRequests = new Counter({
      name: `${prefix}denied_identity_requests_total`,
      help: 'Requests that were refused because somebody denied the SPIFFE ID they came from',
      registers,
    });
    this.#commits = new Histogram({
      name: `${prefix}commit_duration_seconds`,
      help: 'Transactions of the store, each of which holds what many callers write',
      buckets: commitBuckets,
      registers,
    });
    // So that a rule which looks for a first one sees it rise from zero.
    for (const [kind, { severity }] of Object.entries(alertKinds)) this.#alerts.inc({ kind, severity }, 0);
    for (const outcome of ['ok', 'denied', 'failed']) this.#logins.inc({ outcome }, 0);
    collectDefaultMetrics({ register: this.#registry });
  }

  /** For `text`. */
  get contentType(): string {
    return this.#registry.contentType;
  }

  async text(): Promise<string> {
    return await this.#registry.metrics();
  }

  /** What there is, for its page; that of the process and of Node left out. */
  list(): readonly {
    readonly name: string;
    readonly type: string;
    readonly help: string;
    readonly labels: readonly string[];
  }[] {
    return this.#registry
      .getMetricsAsArray()
      .filter(({ name }) => name.startsWith(prefix))
      .map((metric) => {
        const labels: unknown = Reflect.get(metric, 'labelNames');
        return {
          name: metric.name,
          type: String(Reflect.get(metric, 'type')),
          help: metric.help,
          labels: Array.isArray(labels) ? labels.map(String) : [],
        };
      });
  }

  observe({ action, outcome, code, durationMicros }: Observed): void {
    if (code === 'identity_denied') this.#deniedRequests.inc();
    this.#requests.observe({ route: action, outcome }, durationMicros / 1e6);
    if (action === 'login') this.#logins.inc({ outcome });
  }

  alert(kind: AlertKind): void {
    this.#alerts.inc({ kind, severity: alertKinds[kind].severity });
  }

  /** A store whose transactions are timed. */
  meter(store: Store): Store {
    const commits = this.#commits;
    return {
      kind: store.kind,
      head: () => store.head(),
      get: (table, key) => store.get(table, key),
      list: (table, start, options) => store.list(table, start, options),
      commit: async (ops) => {
        const started = performance.now();
        try {
          return await store.commit(ops);
        } finally {
          commits.observe((performance.now() - started) / 1000);
        }
      },
      health: () => store.health(),
      snapshot: (signal) => store.snapshot(signal),
      verify: (signal) => store.verify(signal),
      [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
    };
  }

  /** From then on what is counted elsewhere is shown, too. */
  read(sources: MetricSources): void {
    const add = (name: string, help: string, read: () => number | undefined | Promise<number>): void => {
      new Gauge({
        name: prefix + name,
        help,
        registers: [this.#registry],
        async collect() {
          const value = await read();
          if (value === undefined) this.remove();
          else this.set(value);
        },
      });
    };
    const { keepers, audit } = sources;
    add('ready', '1 while secrets are served', () => Number(sources.ready()));
    add('identity_expiry_timestamp_seconds', 'End of the life of the SVID', sources.identityEnds);
    add('keepers_reachable', 'Keepers that answered last', () => keepers().reachable);
    add('keepers_holding', 'Keepers that hold their share', () => keepers().holding);
    add('keepers_required', 'Keepers that a restart needs', () => keepers().required);
    add('audit_records', 'Records in the audit', () => audit().size);
    add('audit_unsynced_records', 'Of those, not on the disk yet', () => audit().size - audit().synced);
    add('store_bytes', 'Size of the store with its journal', sources.storeBytes);
    add('connections', 'Open connections', sources.connections);
    add('sessions', 'Sessions of administrators', sources.sessions);
    add('denials', 'Denials of SPIFFE IDs that are in force', sources.denials);
    const { openAlerts } = sources;
    new Gauge({
      name: `${prefix}alerts_open`,
      help: 'Alerts that nobody acknowledged',
      labelNames: ['severity'],
      registers: [this.#registry],
      collect() {
        const open = openAlerts();
        for (const severity of severities) this.set({ severity }, open[severity]);
      },
    });
  }
}
