import { SpikeError } from '@spike/error';
import { severityOf, type Acknowledgement, type Alert } from './alert.ts';
import { alertKinds, severities, type AlertKind } from './kind.ts';
import type { RaisedAlert } from './port.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;

/** Stands for all subjects of a kind that came beyond its limit. No SPIFFE ID, policy or Keeper is called that. */
export const everySubject = '*';

export interface Change {
  readonly alert: Alert;
  /** The sinks are to be told: it is new, or it was time to remind. */
  readonly tell: boolean;
  readonly removed: readonly number[];
}

/**
 * The alerts, and the rules by which they stay few: what is open is counted, what comes too often is one for all, and
 * beyond the bound the oldest acknowledged go first, then the least severe.
 */
export class AlertBook {
  readonly #most: number;
  readonly #alerts = new Map<number, Alert>();
  /** Ids of the open ones by kind and subject. */
  readonly #open = new Map<string, number>();
  /** Of each kind: when the hour began, and how many new alerts there were in it. */
  readonly #made = new Map<AlertKind, { since: number; count: number }>();
  #next = 1;

  constructor(most: number, alerts: Iterable<Alert> = []) {
    this.#most = most;
    for (const alert of [...alerts].toSorted((a, b) => a.id - b.id)) this.#keep(alert);
  }

  /** Newest first. */
  list(): readonly Alert[] {
    return [...this.#alerts.values()].toSorted((a, b) => b.lastAt - a.lastAt || b.id - a.id);
  }

  /** Throws `api_not_found`. */
  get(id: number): Alert {
    const alert = this.#alerts.get(id);
    if (alert === undefined)
      throw new SpikeError(
        'api_not_found',
        `there is no alert ${id}; spike alert list shows those there are`,
      );
    return alert;
  }

  /** `now` in milliseconds since 1970; `count` for what was counted elsewhere. */
  raise(
    { kind, subject, message, detail }: Required<RaisedAlert>,
    now: number,
    count = 1,
    firstAt = now,
  ): Change {
    const known = this.#open.has(keyOf(kind, subject));
    const target = known || this.#hasRoom(kind, now) ? subject : everySubject;
    const before = this.#alerts.get(this.#open.get(keyOf(kind, target)) ?? -1);
    const { remindMinutes, perHour } = alertKinds[kind];
    const said =
      target === subject ? message : `more than ${perHour} subjects in one hour; the newest: ${message}`;
    if (before === undefined) {
      const removed = this.#makeRoom();
      const alert = { id: this.#next, kind, subject: target, message: said, detail, count, firstAt };
      return { alert: this.#keep({ ...alert, lastAt: now, toldAt: now }), tell: true, removed };
    }
    // A clock that was put back must not silence what is open.
    const sinceTold = now - before.toldAt;
    const tell = sinceTold >= remindMinutes * minuteMs || sinceTold < 0;
    const counted = { ...before, message: said, detail, count: before.count + count, lastAt: now };
    return { alert: this.#keep(tell ? { ...counted, toldAt: now } : counted), tell, removed: [] };
  }

  /** Acknowledging twice keeps the first. Throws `api_not_found`. */
  acknowledge(
    id: number,
    acknowledged: Acknowledgement,
  ): { readonly alert: Alert; readonly changed: boolean } {
    const alert = this.get(id);
    if (alert.acknowledged !== undefined) return { alert, changed: false };
    return { alert: this.#keep({ ...alert, acknowledged }), changed: true };
  }

  #hasRoom(kind: AlertKind, now: number): boolean {
    const made = this.#made.get(kind);
    if (made === undefined || now - made.since >= hourMs || now < made.since) {
      this.#made.set(kind, { since: now, count: 1 });
      return true;
    }
    if (made.count >= alertKinds[kind].perHour) return false;
    made.count += 1;
    return true;
  }

  #makeRoom(): readonly number[] {
    const removed: number[] = [];
    while (this.#alerts.size >= this.#most) {
      const first = [...this.#alerts.values()].reduce((a, b) => (isLesser(b, a) ? b : a));
      this.#remove(first);
      removed.push(first.id);
    }
    return removed;
  }

  #remove(alert: Alert): void {
    this.#alerts.delete(alert.id);
    const key = keyOf(alert.kind, alert.subject);
    if (this.#open.get(key) === alert.id) this.#open.delete(key);
  }

  #keep(alert: Alert): Alert {
    const key = keyOf(alert.kind, alert.subject);
    this.#alerts.set(alert.id, alert);
    if (alert.acknowledged === undefined) this.#open.set(key, alert.id);
    else if (this.#open.get(key) === alert.id) this.#open.delete(key);
    this.#next = Math.max(this.#next, alert.id + 1);
    return alert;
  }
}

/** Whether `a` goes before `b`. */
function isLesser(a: Alert, b: Alert): boolean {
  const done = Number(b.acknowledged !== undefined) - Number(a.acknowledged !== undefined);
  if (done !== 0) return done < 0;
  const rank = severities.indexOf(severityOf(a)) - severities.indexOf(severityOf(b));
  if (a.acknowledged === undefined && rank !== 0) return rank < 0;
  return a.lastAt < b.lastAt || (a.lastAt === b.lastAt && a.id < b.id);
}

function keyOf(kind: AlertKind, subject: string): string {
  return `${kind} ${subject}`;
}
