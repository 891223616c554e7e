import { dirname } from 'node:path';
import { ensurePrivateDirectory } from '@spike/config';
import type { Log } from '@spike/log';
import { openLoopback, type Observed } from '@spike/server';
import type { IdentitySource } from '@spike/spiffe';
import type { Store } from '@spike/store';
import { AccessWatch } from './alert/access/watch.ts';
import { AuditWatch } from './alert/emitter/audit.ts';
import { ClockWatch } from './alert/emitter/clock.ts';
import { IdentityWatch } from './alert/emitter/identity.ts';
import { startPulse } from './alert/emitter/pulse.ts';
import { RequestWatch } from './alert/emitter/request.ts';
import { AlertService } from './alert/service.ts';
import { Sinks } from './alert/sink/sinks.ts';
import type { SealedPart } from './book/sealed-book.ts';
import { Spool } from './book/spool.ts';
import type { NexusConfig } from './config.ts';
import { noteRequest } from './history/request.ts';
import { HistoryService } from './history/service.ts';
import { isLossReason, type Loss } from './identity/guard.ts';
import type { IdentityTerm } from './identity/term.ts';
import type { Metrics, MetricSources } from './metric/metrics.ts';

export interface MonitorOptions {
  readonly config: NexusConfig;
  readonly log: Log;
  readonly instance: () => string;
  readonly ready: () => boolean;
}

/** Everything that looks at a running Nexus and tells people: alerts with their sinks, the history, the figures. */
export class Monitor implements AsyncDisposable {
  readonly alerts: AlertService;
  readonly history: HistoryService;
  /** Checkpoints of the audit go to all of them. */
  readonly sinks: Sinks;
  /** What keeps things in the store while it is unlocked. */
  readonly sealed: readonly SealedPart[];
  readonly #options: MonitorOptions;
  readonly #stack: AsyncDisposableStack;
  readonly #requests: RequestWatch;
  readonly #spool: Spool | undefined;
  #identity: IdentityWatch | undefined;
  #metrics: Metrics | undefined;
  readonly #access: AccessWatch;

  private constructor(
    options: MonitorOptions,
    sinks: Sinks,
    spool: Spool | undefined,
    metrics: Metrics | undefined,
    stack: AsyncDisposableStack,
  ) {
    const { log, config, instance, ready } = options;
    this.#options = options;
    this.#stack = stack;
    this.#metrics = metrics;
    this.sinks = sinks;
    this.#spool = spool;
    const count = ({ kind }: { readonly kind: Parameters<Metrics['alert']>[0] }) =>
      this.#metrics?.alert(kind);
    this.alerts = new AlertService({ sinks, spool, log, instance, count });
    this.history = new HistoryService({ spool, log });
    const access = new AccessWatch({ alerts: this.alerts, log, learningMs: config.learningMs });
    this.#access = access;
    this.sealed = [this.alerts, this.history, access];
    this.#requests = new RequestWatch({ alerts: this.alerts, access, ready });
  }

  /** Before anything that could raise an alert. Throws `config_invalid` and `fs_unsafe`. */
  static async open(options: MonitorOptions): Promise<Monitor> {
    const { config, log } = options;
    await using stack = new AsyncDisposableStack();
    const sinks = stack.use(await Sinks.open(config.sinks, log));
    const spool = config.store.kind === 'memory' ? undefined : await openSpool(config.spoolFile, log);
    if (spool !== undefined) stack.use(spool);
    // Loaded by those alone who want it.
    const metrics =
      config.metrics === undefined ? undefined : new (await import('./metric/metrics.ts')).Metrics();
    return new Monitor(options, sinks, spool, metrics, stack.move());
  }

  /** What is wrong with the places where alerts go, for the status. */
  problems(): readonly string[] {
    return [...this.sinks.problems].map(([name, problem]) => `the sink ${name} of alerts: ${problem}`);
  }

  /** What people have to know of what is noticed here, for the status. */
  warnings(): readonly string[] {
    return this.#access.warnings;
  }

  /** The store, its transactions timed where somebody wants to know. */
  meter(store: Store): Store {
    return this.#metrics?.meter(store) ?? store;
  }

  observe(observed: Observed): void {
    this.#metrics?.observe(observed);
    this.#requests.observe(observed);
    noteRequest(this.history, observed);
  }

  /** Notes when the second layer is turned off or on again: that is set outside, so nobody asks for it. */
  noteMode(mode: 'password' | 'svid'): void {
    const before = this.history.list().find(({ kind }) => kind === 'auth_mode')?.detail['mode'] ?? 'password';
    if (mode !== before) this.history.note('auth_mode', { mode });
  }

  /** A record that the audit did not take. */
  recordRefused(): void {
    const message = 'the audit did not take the record of a change that was made; it waits in the store';
    this.alerts.raise({ kind: 'audit_sink_failing', subject: 'audit', message });
  }

  /** Looks at identity, clock and audit until it is disposed of. */
  watch(options: {
    readonly source: IdentitySource;
    readonly term: IdentityTerm;
    /** Why lines or checkpoints are not written at the moment, if they are not. */
    readonly audit: () => string | undefined;
  }): void {
    const { alerts, history } = this;
    const { source, term } = options;
    const identity = this.#stack.use(
      new IdentityWatch({ source, alerts, history, until: () => term.until() }),
    );
    this.#identity = identity;
    const audit = new AuditWatch({ alerts, problem: options.audit });
    this.#stack.use(startPulse([identity, audit, new ClockWatch({ alerts })]));
  }

  /** Our identity is lost, and nothing is served any more. Written at once where it outlives this process. */
  lost(loss: Loss): void {
    this.#spool?.add({ type: 'audit', kind: loss.reason, at: loss.at });
    if (this.#spool?.waiting('return').length === 0)
      this.#spool.add({ type: 'return', kind: loss.reason, at: loss.at });
    this.#identity?.lost(loss);
  }

  /** Losses of the identity whose record is not in the audit yet. */
  get unrecorded(): readonly Loss[] {
    return this.#losses('audit');
  }

  get unreturned(): Loss | undefined {
    return this.#losses('return')[0] ?? this.unrecorded[0];
  }

  returned(): void {
    this.#spool?.forget('return');
  }

  recorded(): void {
    this.#spool?.forget('audit');
  }

  #losses(type: 'audit' | 'return'): readonly Loss[] {
    return (this.#spool?.waiting(type) ?? []).flatMap(({ kind, at }) =>
      isLossReason(kind) ? [{ reason: kind, at }] : [],
    );
  }

  /** Resolves when everything that was raised and noted is in the store and with everybody who wants to know. */
  async flush(): Promise<void> {
    await Promise.all([this.alerts.flush(), this.history.flush(), this.sinks.idle()]);
  }

  /** Serves the figures, where that is asked for. Throws `config_invalid` when the port is taken. */
  async serveMetrics(sources: MetricSources, signal: AbortSignal): Promise<string | undefined> {
    const { metrics: address } = this.#options.config;
    const metrics = this.#metrics;
    if (address === undefined || metrics === undefined) return undefined;
    metrics.read(sources);
    const answer = async (path: string) =>
      path === '/metrics'
        ? { status: 200, type: metrics.contentType, body: await metrics.text() }
        : undefined;
    const server = await openLoopback({ ...address, noun: 'the metrics', answer }, signal);
    this.#stack.use(server);
    return server.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack[Symbol.asyncDispose]();
  }
}

async function openSpool(path: string, log: Log): Promise<Spool | undefined> {
  await ensurePrivateDirectory(dirname(path));
  return Spool.open(path, log);
}
