import type { RoleBook } from '@spike/server';
import { reachOf } from '@spike/contract';
import { SpiffeId } from '@spike/spiffe';
import type { AccessLayer } from './admin/layer.ts';
import type { Ticks } from './admin/ticks.ts';
import { ApprovalBook } from './approval/book.ts';
import type { EmergencyAlerts } from './approval/port.ts';
import { RecoveryDoor, type TakenPass } from './approval/recovery-door.ts';
import { Breakglass } from './breakglass/breakglass.ts';
import type { Journal } from './breakglass/journal.ts';
import type { AuditLines } from './breakglass/report.ts';
import type { HistoryPort } from './history/port.ts';
import type { OpenInstance } from './vault/instance.ts';
import type { Ledger } from './vault/port.ts';

export interface EmergencySettings {
  readonly roles: RoleBook;
  readonly alerts: EmergencyAlerts;
  readonly breakglassDelayMs: number;
  /** Of approvals and of the way to the shares; the machine's own unless told. */
  readonly ticks?: Ticks;
  readonly wall?: () => number;
}

export interface EmergencyOptions extends EmergencySettings {
  readonly instance: OpenInstance;
  readonly ledger: Ledger;
  readonly audit: AuditLines;
  readonly journal: Journal;
  readonly history: HistoryPort;
  /** Undefined where a superuser's SVID is enough. */
  readonly access: AccessLayer | undefined;
}

/** What there is for the days on which the ordinary ways in are closed: approvals, the way to the shares, break-glass. */
export class Emergency implements Disposable {
  readonly approvals: ApprovalBook;
  readonly door: RecoveryDoor;
  /** Undefined where there are no administrators. */
  readonly breakglass: Breakglass | undefined;
  readonly #access: AccessLayer | undefined;

  private constructor(options: EmergencyOptions, breakglass: Breakglass | undefined) {
    const { instance, alerts, roles, access, ticks, wall } = options;
    const clocks = { ...(ticks === undefined ? {} : { ticks }), ...(wall === undefined ? {} : { wall }) };
    this.approvals = new ApprovalBook({ split: instance.recovery, alerts, ...clocks });
    this.door = new RecoveryDoor({
      ...clocks,
      isRecover: (text) => isRecover(text, roles),
      mayGive: (name) => mayGive(access, name),
    });
    this.breakglass = breakglass;
    this.#access = access;
  }

  /** Throws SpikeError `store_integrity`. */
  static async open(options: EmergencyOptions, signal: AbortSignal): Promise<Emergency> {
    const { access, instance, ledger, alerts, audit, journal, history, breakglassDelayMs, wall } = options;
    const breakglass =
      access === undefined
        ? undefined
        : await Breakglass.load(
            {
              vault: instance.vault,
              ledger,
              books: access.books,
              alerts,
              audit,
              journal,
              history,
              delayMs: breakglassDelayMs,
              ...(wall === undefined ? {} : { wall }),
            },
            signal,
          );
    return new Emergency(options, breakglass);
  }

  /**
   * Lets this SPIFFE ID take the recovery shares out (admin.md C9): with its SVID alone before there is an administrator
   * and where there are none, which is undefined, else where a super_admin opened that. Throws SpikeError
   * `approval_required`.
   */
  takePass(spiffeId: string): TakenPass | undefined {
    const isGuarded = this.#access?.initialisation.done !== undefined;
    return isGuarded ? this.door.take(spiffeId) : undefined;
  }

  [Symbol.dispose](): void {
    this.breakglass?.[Symbol.dispose]();
  }
}

function isRecover(text: string, roles: RoleBook): boolean {
  try {
    return roles.has(SpiffeId.parse(text), 'recover');
  } catch {
    return false;
  }
}

/** Whether this administrator is there, enabled, and may open the way to the shares. Where there are none, nobody has a name. */
function mayGive(access: AccessLayer | undefined, name: string): boolean {
  const record = access?.books.administrator(name);
  return record?.state === 'enabled' && reachOf(record.role, 'approval.give') !== undefined;
}
