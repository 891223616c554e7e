import { randomBytes } from 'node:crypto';
import type { AuditFile } from '@spike/audit';
import type { AuditDraft, AuditPort, AuditRecord } from '@spike/server';
import type { AuditPosition } from './vault/ledger.ts';

/** Who wants to know that the file holds a record of the outbox. */
interface Outbox {
  recorded(trail: string, sequence: number): void;
}

/** What of the file it takes to write it. */
type Lines = Pick<AuditFile, 'append' | 'appendUnready' | 'synced'>;

const idBytes = 16;

/** The audit of Nexus: the append-only file, and what it and the outbox have to tell each other. */
export class FileAudit implements AuditPort {
  readonly #file: Lines;
  #outbox: Outbox | undefined;
  /** Trails of outbox records that were appended at the unlocking: the request that made the instance is still to come. */
  readonly #replayed = new Set<string>();
  /** Committed records that the file did not take; the outbox holds them, too. */
  readonly #owed: AuditDraft[] = [];

  constructor(file: Lines) {
    this.#file = file;
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
    };
  }

  /** From now on committed records are told to this outbox. */
  attach(outbox: Outbox): void {
    this.#outbox = outbox;
  }

  async append(draft: AuditDraft, options: { readonly committed: boolean }): Promise<void> {
    if (options.committed) await this.appendCommitted(draft);
    else await this.#append(draft);
  }

  /** A record that the file does not take now is appended behind the next one that it takes. */
  async appendCommitted(draft: AuditDraft): Promise<void> {
    if (this.#replayed.delete(draft.trail)) return;
    let sequence: number;
    try {
      sequence = await this.#append(draft);
    } catch (thrown) {
      this.#owed.push(draft);
      throw thrown;
    }
    this.#outbox?.recorded(draft.trail, sequence);
  }

  /** Appends what only the outbox holds. */
  async replay(draft: AuditDraft, outbox: Outbox): Promise<void> {
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
  note(action: string, fields: Readonly<Record<string, number>>): string {
    const salt = randomBytes(idBytes).toString('hex');
    const trail = randomBytes(idBytes).toString('hex');
    const time = new Date().toISOString().replace('Z', '000Z');
    return JSON.stringify({ salt, time, trail, component: 'nexus', action, outcome: 'ok', ...fields });
  }

  async #append(draft: AuditDraft): Promise<number> {
    const { sequence } = await this.#file.append(toRest(draft.record));
    for (const owed of this.#owed.splice(0)) this.appendCommitted(owed).catch(() => undefined);
    return sequence;
  }
}

/** The text of a JSON object behind its opening brace: the file puts the sequence before it. */
export function toRest(record: string): string {
  return record.slice(1);
}
