import { currentOf, type IdentitySource } from '@spike/spiffe';
import type { HistoryPort } from '../../history/port.ts';
import type { Loss } from '../../identity/guard.ts';
import type { AlertPort } from '../port.ts';

export interface IdentityWatchOptions {
  readonly source: IdentitySource;
  readonly alerts: AlertPort;
  readonly history: HistoryPort;
  /** Until when the identity serves, in milliseconds since 1970; until it expires unless told. */
  readonly until?: () => number | undefined;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const lossMeans: Readonly<Record<Loss['reason'], string>> = {
  absent: 'the identity of Nexus was taken away',
  permission_denied: 'the identity of Nexus was taken away',
  expired: 'the identity of Nexus expired before a new one came',
  grace_over: 'the agent has been away for longer than SPIKE_NEXUS_AGENT_GRACE',
};

/** A renewal is due at half of the life; when less than this is left, several have failed. */
const lastPart = 0.2;

/** Raises what becomes of our identity and of whom we believe. `look` is to be called every few seconds. */
export class IdentityWatch implements Disposable {
  readonly #options: IdentityWatchOptions;
  readonly #subscription: Disposable;
  /** The end of the life that was told of. */
  #toldOf = 0;

  constructor(options: IdentityWatchOptions) {
    this.#options = options;
    const { source, alerts } = options;
    this.#subscription = source.subscribe((change) => {
      switch (change.kind) {
        case 'unreachable':
          this.#tell('the agent does not answer, so the identity is not renewed');
          return;
        case 'updated':
          for (const domain of change.bundlesChanged) {
            alerts.raise({
              kind: 'authority_changed',
              subject: domain.name,
              message: 'the certificates that a trust domain is believed by have changed',
            });
          }
          return;
        case 'withdrawn':
        case 'reachable':
      }
    });
  }

  /** Called when nothing is served any more. */
  lost({ reason }: Loss): void {
    const { alerts, history } = this.#options;
    alerts.raise({
      kind: 'identity_withdrawn',
      message: `${lossMeans[reason]}; nothing is served and the keys are dropped`,
      detail: { reason },
    });
    history.note('withdrawn', { reason });
  }

  look(): void {
    const { source, now = Date.now } = this.#options;
    const svid = currentOf(source)?.svid;
    if (svid === undefined) return;
    const end = svid.notAfter.getTime();
    const life = end - svid.notBefore.getTime();
    if (end - now() > life * lastPart || this.#toldOf === end) return;
    this.#toldOf = end;
    this.#tell('less than a fifth of the life of the identity is left, and no new one came');
  }

  #tell(what: string): void {
    const { source } = this.#options;
    const untilMs = this.#options.until?.() ?? currentOf(source)?.svid.notAfter.getTime();
    const until = untilMs === undefined ? 'now' : new Date(untilMs).toISOString();
    this.#options.alerts.raise({
      kind: 'svid_expiring',
      message: `${what}; Nexus serves until ${until} and then drops its keys`,
      detail: { until },
    });
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }
}
