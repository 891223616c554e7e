import type { Log } from '@spike/log';
import type { Sink, SinkAlert } from './sink.ts';

/** Always there. What an alert is about stays out of the log, which others read. */
export class LogSink implements Sink {
  readonly name = 'log';
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  alert({ id, kind, severity, message, count }: SinkAlert): void {
    const level = severity === 'critical' ? 'error' : severity === 'warning' ? 'warn' : 'info';
    this.#log[level]('alert', { kind, severity, message, count, ...(id === undefined ? {} : { id }) });
  }

  checkpoint(note: string): void {
    this.#log.info('audit.checkpoint', { note });
  }

  async idle(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
