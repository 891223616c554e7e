import type { Observed } from '@spike/server';
import type { AccessWatch } from '../access/watch.ts';
import type { AlertPort } from '../port.ts';

export interface RequestWatchOptions {
  readonly alerts: AlertPort;
  readonly access: AccessWatch;
  /** The store is open: what is wrong with it before that is told of by whoever opens it. */
  readonly ready: () => boolean;
}

/** What an answered request tells about the system. */
export class RequestWatch {
  readonly #options: RequestWatchOptions;

  constructor(options: RequestWatchOptions) {
    this.#options = options;
  }

  observe({ action, spiffeId, path, outcome, code }: Observed): void {
    const { alerts, access, ready } = this.#options;
    if (code === undefined) {
      if (action === 'secret.get' && outcome === 'ok' && path !== undefined) access.read(spiffeId, path);
      return;
    }
    if (code === 'store_integrity' && ready()) {
      const message = 'a request met a record that does not open, or lies in the place of another';
      alerts.raise({ kind: 'store_integrity', subject: 'request', message, detail: { action } });
    }
    if (code === 'audit_unavailable') {
      const message = 'the audit does not take records, so requests are refused';
      alerts.raise({ kind: 'audit_sink_failing', subject: 'audit', message });
    }
  }
}
