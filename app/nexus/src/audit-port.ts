import { randomBytes } from 'node:crypto';
import type { AuditFile } from '@spike/audit';
import { isReading, nexusTable, type Route } from '@spike/contract';
import type { AuditDraft, AuditPort, AuditRecord } from '@spike/server';
import type { AuditPosition } from './vault/ledger.ts';

/** Who wants to know that the file holds a record of the outbox. */
interface Outbox {
  recorded(trail: string, sequence: number): void;
  /** Whether it holds a record that the file does not. */
  owes(trail: string): boolean;
}

/** What of the file it takes to write it. */
type Lines = Pick<AuditFile, 'append' | 'appendUnready' | 'assertRoom' | 'synced'>;

const idBytes = 16;

/** What makes a checkpoint at once, by its name in the audit: what administrators and operators do, and not what is read. */
const administrative: ReadonlySet<string> = new Set(
  Object.values(nexusTable)
    .filter(isAdministrative)
    .map(({ audit }) => audit),
);

function isAdministrative({ guard, audit }: Route): boolean {
  switch (guard.kind) {
    case 'role':
      return audit !== nexusTable.status.audit;
    case 'session':
      return true;
    case 'administrator':
      return !isReading(guard.privilege);
    case 'policy':
      return 'at' in guard && !isReading(guard.privilege);
    case 'listing':
    case 'anyPeer':
      return false;
  }
}

/** The audit of Nexus: the append-only file, and what it and the outbox have to tell each other. */
export class FileAudit implements AuditPort {
  readonly #file: Lines;
  readonly #onOwed: (reason: unknown) => void;
  #outbox: Outbox | undefined;
  /** Trails of outbox records that were appended at the unlocking: the request that made the instance is still to come. */
  readonly #replayed = new Set<string>();
  /** Told when the record of an administrative action is in the file. */
  onAdministrative: () => void = () => undefined;
  /** Committed records that the file did not take; the outbox holds them, too. */
  readonly #owed: AuditDraft[] = [];
  /** Trails of committed records that are being written, or are owed. */
  readonly #coming = new Set<string>();

  /** `onOwed` is told why the file did not take the record of a change that was made. */
  constructor(file: Lines, onOwed: (reason: unknown) => void = () => undefined) {
    this.#file = file;
    this.#onOwed = onOwed;
  }

  /** How far the file is synced to disk, which state record and anchor hold. */
  get position(): AuditPosition {
    const file = this.#file;
    return {
      get syncedSize() {
        return file.synced.size;
      },
      get syncedRoot() {
        return file.synced.root;
      },
      assertRoom: () => file.assertRoom(),
    };
  }

  /** From now on committed records are told to this outbox. */
  attach(outbox: Outbox): void {
    this.#outbox = outbox;
  }

  async append(
    draft: AuditDraft,
    options: { readonly committed: boolean; readonly action?: string },
  ): Promise<void> {
    if (options.committed) {
      await this.appendCommitted(draft);
    } else {
      await this.#file.append(toRest(draft.record));
      this.#appendOwed();
    }
    if (administrative.has(options.action ?? '')) this.onAdministrative();
  }

  /**
   * A record that the file does not take now is appended behind the next one that it takes, which is no failure of the
   * change: the record lies on the disk, in the outbox, in the transaction of the change itself. A request that changed
   * nothing has no such transaction. Its record is not kept, since it is answered as a failure, and since nothing bounds
   * how many of them a full disk would leave in memory. Throws what the file threw.
   */
  async appendCommitted(draft: AuditDraft): Promise<void> {
    this.#coming.delete(draft.trail);
    if (this.#replayed.delete(draft.trail)) return;
    this.#coming.add(draft.trail);
    let sequence: number;
    try {
      sequence = await this.#append(draft);
    } catch (thrown) {
      if (this.#outbox?.owes(draft.trail) === true) {
        this.#owed.push(draft);
        this.#onOwed(thrown);
        return;
      }
      this.#coming.delete(draft.trail);
      throw thrown;
    }
    this.#coming.delete(draft.trail);
    this.#outbox?.recorded(draft.trail, sequence);
  }

  async appendIfCommitted(draft: AuditDraft, { action }: { readonly action: string }): Promise<void> {
    // Where its outcome was unknown, the ledger may have found out and told of it in the meantime.
    if (this.#outbox?.owes(draft.trail) !== true || this.#coming.has(draft.trail)) return;
    await this.append(draft, { committed: true, action });
  }

  /** Appends what only the outbox holds. */
  async replay(draft: AuditDraft, outbox: Pick<Outbox, 'recorded'>): Promise<void> {
    const { sequence } = await this.#file.append(toRest(draft.record));
    this.#replayed.add(draft.trail);
    outbox.recorded(draft.trail, sequence);
  }

  appendUnready(draft: AuditDraft, record: AuditRecord): Promise<void> {
    const { outcome, code, spiffeId, action } = record;
    // Repeated refusals of one caller are one line with a count.
    const mergeKey = outcome === 'ok' ? undefined : [spiffeId, action, outcome, code].join(' ');
    this.#file.appendUnready(toRest(draft.record), mergeKey);
    return Promise.resolve();
  }

  /** A record of something that no request did. */
  note(action: string, fields: Readonly<Record<string, string | number>>): string {
    return this.draftNote(action, fields).record;
  }

  /** The same, to be committed together with what it tells about, and appended afterwards. */
  draftNote(action: string, fields: Readonly<Record<string, string | number>>): AuditDraft {
    const salt = randomBytes(idBytes).toString('hex');
    const trail = randomBytes(idBytes).toString('hex');
    const time = new Date().toISOString().replace('Z', '000Z');
    const record = JSON.stringify({
      salt,
      time,
      trail,
      component: 'nexus',
      action,
      outcome: 'ok',
      ...fields,
    });
    return { trail, record };
  }

  async #append(draft: AuditDraft): Promise<number> {
    const { sequence } = await this.#file.append(toRest(draft.record));
    this.#appendOwed();
    return sequence;
  }

  #appendOwed(): void {
    if (this.#owed.length === 0) return;
    for (const owed of this.#owed.splice(0)) this.appendCommitted(owed).catch(() => undefined);
  }
}

/** The text of a JSON object behind its opening brace: the file puts the sequence before it. */
export function toRest(record: string): string {
  return record.slice(1);
}
