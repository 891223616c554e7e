import { randomBytes } from 'node:crypto';
import type { AdministratorRole } from '@spike/contract';
import type { Manager } from '../../admin/administrator.ts';
import { hour, passwords, root, Stage } from '../../admin/testing/stage.ts';
import type { EmergencyAlert } from '../../approval/port.ts';
import type { HistoryKind } from '../../history/port.ts';
import { Breakglass } from '../breakglass.ts';
import type { Actor } from '../port.ts';
import type { Journal } from '../journal.ts';
import type { AuditLines } from '../report.ts';

export const delayMs = 4 * hour;
export const reason = 'the database is down';
export const superAdmin: Actor & Manager = { name: 'admin', role: 'super_admin', tenant: undefined };
export const eve: Actor = { name: 'eve', role: 'emergency_admin' };

/** Lines of an audit in memory. */
export class Lines implements AuditLines, Journal {
  readonly #lines: string[] = [];

  get size(): number {
    return this.#lines.length;
  }

  add(administrator: string, action: string, time: number): void {
    this.push({ time: new Date(time).toISOString(), action, administrator });
  }

  push(record: object): void {
    this.#lines.push(JSON.stringify({ sequence: this.size, ...record }));
  }

  /** Without trails, which a record of no request has for the outbox alone. */
  draftNote(action: string, fields: Readonly<Record<string, string | number>>) {
    return { trail: randomBytes(16).toString('hex'), record: JSON.stringify({ action, ...fields }) };
  }

  async appendCommitted({ record }: { readonly record: string }): Promise<void> {
    this.push(JSON.parse(record) as object);
  }

  /** What no request did. */
  get notes(): readonly Readonly<Record<string, unknown>>[] {
    return this.#lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ subject }) => subject !== undefined);
  }

  async *scan(from: number): AsyncGenerator<{ sequence: number; line: string }> {
    for (const [sequence, line] of this.#lines.entries()) if (sequence >= from) yield { sequence, line };
  }
}

/** Break-glass over a second layer with one super_admin, `admin`, and one emergency_admin, `eve`. */
export class BreakglassStage implements AsyncDisposable {
  readonly access: Stage;
  readonly lines: Lines;
  readonly alerts: EmergencyAlert[];
  readonly history: HistoryKind[];
  readonly breakglass: Breakglass;
  readonly token: string;

  private constructor(access: Stage, breakglass: Breakglass, kept: Kept, token: string) {
    this.access = access;
    this.breakglass = breakglass;
    this.lines = kept.lines;
    this.alerts = kept.alerts;
    this.history = kept.history;
    this.token = token;
  }

  static async open(): Promise<BreakglassStage> {
    const kept = { lines: new Lines(), alerts: [], history: [] };
    const current = new Current();
    const access = await Stage.open({ isEmergency: current.isOpen });
    await access.init();
    const { administrators } = access.layer;
    const wanted = { name: 'eve', role: 'emergency_admin', tenant: undefined, spiffeId: root } as const;
    const { oneTimePassword } = await administrators.create(superAdmin, wanted, access.asked());
    const { token } = await access.login('eve', oneTimePassword, { newPassword: passwords.third });
    return new BreakglassStage(access, await load(access, kept, current), kept, token);
  }

  /** The same store after a stop: what was in memory is gone. */
  async restart(): Promise<BreakglassStage> {
    this.breakglass[Symbol.dispose]();
    const current = new Current();
    const access = await this.access.restart({ settings: { isEmergency: current.isOpen } });
    return new BreakglassStage(access, await load(access, this, current), this, this.token);
  }

  /** Answers the one-time password. */
  async create(name: string, role: AdministratorRole, manager: Manager = superAdmin): Promise<string> {
    const { oneTimePassword } = await this.access.layer.administrators.create(
      manager,
      { name, role, tenant: undefined, spiffeId: root },
      this.access.asked(),
    );
    return oneTimePassword;
  }

  ask(ttlMs = hour, actor: Actor = eve): ReturnType<Breakglass['open']> {
    return this.breakglass.open(actor, { reason, ttlMs }, this.access.asked());
  }

  approve(id: string, actor: Actor = superAdmin): ReturnType<Breakglass['approve']> {
    return this.breakglass.approve(actor, id, this.access.asked());
  }

  cancel(id: string, actor: Actor = superAdmin): ReturnType<Breakglass['cancel']> {
    return this.breakglass.cancel(actor, id, this.access.asked());
  }

  close(actor: Actor = eve): ReturnType<Breakglass['close']> {
    return this.breakglass.close(actor, this.access.asked());
  }

  /** Whether a request of eve would be admitted with what a break-glass gives. */
  hasAccess(): boolean {
    return this.breakglass.isOpen('eve');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.breakglass[Symbol.dispose]();
    await this.access[Symbol.asyncDispose]();
  }
}

/** What outlives a restart. */
interface Kept {
  readonly lines: Lines;
  readonly alerts: EmergencyAlert[];
  readonly history: HistoryKind[];
}

/** Whom the sessions ask, which are there first. */
class Current {
  breakglass: Breakglass | undefined;
  readonly isOpen = (name: string): boolean => this.breakglass?.isOpen(name) ?? false;
}

async function load(access: Stage, { lines, alerts, history }: Kept, current: Current): Promise<Breakglass> {
  current.breakglass = await Breakglass.load({
    vault: access.vault,
    ledger: access.ledger,
    books: access.layer.books,
    alerts: { raise: (alert) => void alerts.push(alert) },
    audit: lines,
    journal: lines,
    history: { note: (kind) => void history.push(kind) },
    delayMs,
    wall: () => access.at.wall,
  });
  return current.breakglass;
}
