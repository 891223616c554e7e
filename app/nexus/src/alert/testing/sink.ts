import type { Log } from '@spike/log';
import type { AlertKind, AlertPort, RaisedAlert } from '../port.ts';
import type { Sink, SinkAlert } from '../sink/sink.ts';
import { Sinks } from '../sink/sinks.ts';

export const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Keeps what it is given. */
export class MemorySink implements Sink {
  readonly name = 'memory';
  readonly alerts: SinkAlert[] = [];
  readonly checkpoints: string[] = [];

  alert(alert: SinkAlert): void {
    this.alerts.push(alert);
  }

  checkpoint(note: string): void {
    this.checkpoints.push(note);
  }

  async idle(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}

export function memorySinks(): { readonly sink: MemorySink; readonly sinks: Sinks } {
  const sink = new MemorySink();
  return { sink, sinks: new Sinks(() => [sink], silent) };
}

/** Keeps what is raised. */
export class MemoryAlerts implements AlertPort {
  readonly raised: RaisedAlert[] = [];

  get kinds(): readonly AlertKind[] {
    return this.raised.map(({ kind }) => kind);
  }

  raise(alert: RaisedAlert): void {
    this.raised.push(alert);
  }
}
