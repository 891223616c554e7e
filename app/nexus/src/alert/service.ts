import { describeError, type Log } from '@spike/log';
import { SealedBook, type Place, type SealedPart } from '../book/sealed-book.ts';
import type { Spool } from '../book/spool.ts';
import { decodeAlert, encodeAlert, severityOf, trim, type Acknowledgement, type Alert } from './alert.ts';
import { AlertBook, type Change } from './book.ts';
import { alertKinds, isAlertKind, urgentKinds, type Severity } from './kind.ts';
import type { AlertPort, RaisedAlert } from './port.ts';
import type { SinkAlert } from './sink/sink.ts';
import type { Sinks } from './sink/sinks.ts';

export interface AlertServiceOptions {
  readonly sinks: Sinks;
  /** Undefined for a store that does not outlive this process. */
  readonly spool: Spool | undefined;
  readonly log: Log;
  readonly instance: () => string;
  /** Told of each that is raised, counted ones too. */
  readonly count?: (alert: Pick<Alert, 'kind'>) => void;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly most?: number;
}

const mostAlerts = 1_000;
/** Before the key is here. */
const mostEarly = 100;

export interface AlertFilter {
  /** Acknowledged ones, too. */
  readonly all?: boolean;
  readonly limit?: number;
}

/** Takes alerts from everybody, keeps them sealed, and gives them to the sinks. */
export class AlertService implements AlertPort, SealedPart {
  readonly #options: AlertServiceOptions;
  readonly #sealed: SealedBook<Alert>;
  readonly #now: () => number;
  readonly #most: number;
  /** Of the time without a key; replaced by that of the store. */
  #book: AlertBook;
  #attached = false;

  constructor(options: AlertServiceOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#most = options.most ?? mostAlerts;
    this.#book = new AlertBook(mostEarly);
    this.#sealed = new SealedBook<Alert>({
      table: 'alert',
      label: 'alert',
      encode: encodeAlert,
      decode: decodeAlert,
      idOf: ({ id }) => String(id),
      log: options.log,
      pauseMs: 250,
    });
    options.sinks.watch((name, problem) => {
      if (problem === undefined) return;
      this.raise({ kind: 'audit_sink_failing', subject: name, message: `the sink ${name}: ${problem}` });
    });
    for (const { type, kind, at } of options.spool?.found ?? []) {
      if (type === 'alert' && isAlertKind(kind)) this.#take({ kind, message: earlier(kind, at) }, at);
    }
  }

  raise(alert: RaisedAlert): void {
    try {
      const now = this.#now();
      const told = this.#take(alert, now);
      this.#options.count?.(alert);
      // What is counted in an open alert is no news, so the file stays small.
      if (told && (!this.#attached || urgentKinds.includes(alert.kind)))
        this.#options.spool?.add({ type: 'alert', kind: alert.kind, at: now });
    } catch (error) {
      this.#options.log.error('alert.failed', { kind: alert.kind, ...describeError(error) });
    }
  }

  /** Newest first. */
  list({ all = false, limit = mostAlerts }: AlertFilter = {}): readonly Alert[] {
    const alerts = this.#book.list();
    return (all ? alerts : alerts.filter(({ acknowledged }) => acknowledged === undefined)).slice(0, limit);
  }

  /** Throws `api_not_found`. */
  get(id: number): Alert {
    return this.#book.get(id);
  }

  /** In the store when it resolves, as far as the store takes it. Throws `api_not_found`. */
  async acknowledge(id: number, acknowledged: Acknowledgement): Promise<Alert> {
    const { alert, changed } = this.#book.acknowledge(id, acknowledged);
    if (changed) {
      this.#sealed.put(alert);
      await this.#sealed.flush();
    }
    return alert;
  }

  /** Numbers of open alerts. */
  countOpen(): Readonly<Record<Severity, number>> {
    const open = { info: 0, warning: 0, critical: 0 };
    for (const alert of this.list()) open[severityOf(alert)] += 1;
    return open;
  }

  async attach(place: Place): Promise<void> {
    const { entries, damaged } = await this.#sealed.attach(place);
    const early = this.#book.list().toReversed();
    this.#book = new AlertBook(this.#most, entries);
    this.#attached = true;
    for (const { kind, subject, message, detail, count, firstAt, lastAt } of early) {
      // It reached the store and the spool before the process that raised it was gone.
      if (entries.some((entry) => entry.kind === kind && entry.lastAt === lastAt)) continue;
      this.#keep(this.#book.raise({ kind, subject, message, detail }, lastAt, count, firstAt));
    }
    if (damaged > 0)
      this.raise({
        kind: 'store_integrity',
        subject: 'alert',
        message: `${damaged} kept alerts do not open`,
      });
    void this.#forgetSpool();
  }

  async detach(): Promise<void> {
    await this.#sealed.detach();
    this.#attached = false;
  }

  /** Resolves when everything raised until now is kept. */
  async flush(): Promise<void> {
    await this.#sealed.flush();
  }

  async #forgetSpool(): Promise<void> {
    if (await this.#sealed.flush()) this.#options.spool?.forget('alert');
  }

  /** Answers whether the sinks were told. */
  #take(alert: RaisedAlert, now: number): boolean {
    const change = this.#book.raise(trim(alert), now);
    this.#keep(change);
    if (change.tell) this.#options.sinks.alert(this.#describe(change.alert));
    return change.tell;
  }

  #keep({ alert, removed }: Change): void {
    if (!this.#attached) return;
    for (const id of removed) this.#sealed.remove(String(id));
    this.#sealed.put(alert);
  }

  #describe(alert: Alert): SinkAlert {
    const { id, kind, subject, message, count, firstAt, lastAt } = alert;
    const { severity, advice } = alertKinds[kind];
    // Paths of secrets stay where they are sealed.
    const { path: _path, ...detail } = alert.detail;
    return {
      // Numbers are given by the store.
      id: this.#attached ? id : undefined,
      kind,
      severity,
      subject,
      message,
      advice,
      detail,
      count,
      firstAt: new Date(firstAt).toISOString(),
      lastAt: new Date(lastAt).toISOString(),
      instance: this.#options.instance(),
    };
  }
}

function earlier(kind: keyof typeof alertKinds, at: number): string {
  return `${alertKinds[kind].means} (noted at ${new Date(at).toISOString()}, while nothing could be sealed)`;
}
