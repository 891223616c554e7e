import type { NexusTable, OutputOf } from '@spike/contract';
import type { IdentitySource } from '@spike/spiffe';
import type { Store } from '@spike/store';
import type { AuditFile } from '@spike/audit';
import type { Custody } from './recovery/custody.ts';
import type { KeeperSet } from './recovery/keeper-set.ts';
import type { Serving } from './serving.ts';
import { schemaVersion } from './vault/head.ts';

export interface StatusOptions {
  readonly custody: Custody<Serving>;
  readonly keepers: KeeperSet;
  readonly source: IdentitySource;
  readonly store: Store;
  readonly audit: AuditFile;
  readonly threshold: number;
  readonly version: string;
}

type Status = OutputOf<NexusTable['status']>;

/** What `status` answers: the state of Nexus in words and numbers, and nothing that is secret. */
export class StatusReport {
  readonly #options: StatusOptions;
  readonly #startedAt = new Date();
  /** Of the check that runs in the background after each unlocking. */
  #background: string[] = [];

  constructor(options: StatusOptions) {
    this.#options = options;
  }

  /** What the check in the background found; shown until the next one. */
  noteBackground(problems: readonly string[]): void {
    this.#background = [...problems];
  }

  async describe(verify: boolean, signal: AbortSignal): Promise<Status> {
    const { custody, keepers, source, store, audit, threshold, version } = this.#options;
    const opened = custody.opened;
    const list = keepers.health.map((keeper) => ({ ...keeper }));
    const reachable = list.filter((keeper) => keeper.reachable).length;
    const health = await store.health();
    const verification = verify && opened !== undefined ? await opened.verify(signal) : undefined;
    const required = custody.head?.splits.find(({ purpose }) => purpose === 'keeper')?.threshold ?? threshold;
    const warnings = [
      ...(custody.state === 'ready' ? [] : [custody.message]),
      ...(list.length > 0 && reachable < required
        ? [
            `only ${reachable} of the ${required} Keepers that are needed are reachable: a restart would need people`,
          ]
        : []),
      ...(health.problem === undefined ? [] : [health.problem]),
      ...(audit.problem === undefined ? [] : [audit.problem]),
      ...(opened?.warnings ?? []),
      ...this.#background,
    ];
    return {
      state: custody.state,
      ready: custody.state === 'ready',
      version,
      ...(custody.instanceId === undefined ? {} : { instance: custody.instanceId }),
      startedAt: this.#startedAt.toISOString(),
      store: { kind: store.kind, schema: schemaVersion },
      keepers: { reachable, required, list },
      ...identityOf(source),
      sizes: {
        policies: opened?.policies.engine.size ?? 0,
        auditLines: audit.size,
        storeBytes: health.bytes,
      },
      ...(verification === undefined ? {} : { verify: verification }),
      warnings,
    };
  }
}

function identityOf(source: IdentitySource): Pick<Status, 'identity'> {
  try {
    const { svid } = source.current();
    return {
      identity: { id: svid.id.toString(), expiresAt: svid.notAfter.toISOString(), state: source.state },
    };
  } catch {
    return {};
  }
}
