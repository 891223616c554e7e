import { severities, type AlertKind, type Severity } from '../kind.ts';
import type { Detail } from '../port.ts';

/** An alert as it leaves Nexus. */
export interface SinkAlert {
  /** Undefined for one that was raised before the key was here. */
  readonly id: number | undefined;
  readonly kind: AlertKind;
  readonly severity: Severity;
  readonly subject: string;
  readonly message: string;
  readonly advice: string;
  readonly detail: Detail;
  readonly count: number;
  /** RFC 3339. */
  readonly firstAt: string;
  readonly lastAt: string;
  /** Empty until there is one. */
  readonly instance: string;
}

/** A place outside where alerts go, and the audit's checkpoints with them. */
export interface Sink extends AsyncDisposable {
  readonly name: string;
  /** Returns at once and never throws; what cannot be delivered is tried again, then told of by `onState`. */
  alert(alert: SinkAlert): void;
  /** A signed note (C2SP tlog-checkpoint), whole. */
  checkpoint(note: string): void;
  /** Resolves when nothing is waiting or being delivered. */
  idle(): Promise<void>;
}

/** Told when a sink stops taking what it is given, and when it takes it again. */
export type OnState = (name: string, problem: string | undefined) => void;

export type SinkItem =
  | { readonly type: 'alert'; readonly alert: SinkAlert }
  | { readonly type: 'checkpoint'; readonly checkpoint: string };

/** One line of JSON: what every sink but the log gets. */
export function encodeItem(item: SinkItem): string {
  return JSON.stringify(
    item.type === 'alert' ? { type: item.type, ...item.alert } : { type: item.type, note: item.checkpoint },
  );
}

/** What goes when there are too many: checkpoints before alerts, and alerts by their severity. */
export function rankOf(item: SinkItem): number {
  return item.type === 'checkpoint' ? -1 : severities.indexOf(item.alert.severity);
}

/** A checkpoint covers those before it, so one of them waits at most. */
export function replaces(item: SinkItem, waiting: SinkItem): boolean {
  return item.type === 'checkpoint' && waiting.type === 'checkpoint';
}
