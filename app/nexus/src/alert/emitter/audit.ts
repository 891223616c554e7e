import type { AlertPort } from '../port.ts';

/** Raises once when the audit begins to refuse, and once more when it is over and begins again. */
export class AuditWatch {
  readonly #alerts: AlertPort;
  readonly #problem: () => string | undefined;
  #failing = false;

  constructor(options: { readonly alerts: AlertPort; readonly problem: () => string | undefined }) {
    this.#alerts = options.alerts;
    this.#problem = options.problem;
  }

  look(): void {
    const problem = this.#problem();
    if (problem !== undefined && !this.#failing)
      this.#alerts.raise({ kind: 'audit_sink_failing', subject: 'audit', message: `the audit: ${problem}` });
    this.#failing = problem !== undefined;
  }
}
