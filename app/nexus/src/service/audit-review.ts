import type { AuditFile } from '@spike/audit';
import { SpikeError } from '@spike/error';
import type { Ledger, Vault } from '../vault/port.ts';
import { readFacts } from './audit-filter.ts';
import type { Mutation } from './port.ts';
import { decodeRecord, encodeRecord, readNumber, readText } from './record.ts';

/** One kind of access: by whom, of what, how often. */
export interface Access {
  readonly spiffeId: string;
  readonly administrator?: string;
  readonly action: string;
  readonly path?: string;
  readonly outcome: string;
  readonly count: number;
  readonly lastTime: string;
}

/** That somebody looked at the access up to a place. */
export interface ReviewMark {
  readonly to: number;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly administrator: string;
}

export interface Review {
  readonly rows: readonly Access[];
  readonly from: number;
  readonly to: number;
  /** Where to go on; undefined on the last page. */
  readonly next: number | undefined;
  readonly last: ReviewMark | undefined;
}

export interface AuditReviewOptions {
  readonly file: AuditFile;
  readonly ledger: Ledger;
  readonly vault: Vault;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/** What gives somebody a secret, or what opens all of them. */
const reviewed: ReadonlySet<string> = new Set([
  'secret.get',
  'cipher.decrypt',
  'operator.recover',
  'backup.create',
]);
const mostExamined = 20_000;
const mostRows = 5_000;
const table = 'setting';
const name = ['audit', 'review'] as const;

/** Adds up who read what, and keeps the mark of the last review in the store. */
export class AuditReview {
  readonly #options: AuditReviewOptions;

  constructor(options: AuditReviewOptions) {
    this.#options = options;
  }

  async read(from: number | undefined, signal: AbortSignal): Promise<Review> {
    const { file } = this.#options;
    const last = await this.mark();
    const begin = from ?? last?.to ?? 0;
    const rows = new Map<string, Access>();
    let examined = 0;
    let to = Math.max(begin, file.first);
    for await (const { sequence, line } of file.scan(begin, signal)) {
      if (examined >= mostExamined || rows.size >= mostRows)
        return { rows: [...rows.values()], from: begin, to, next: to, last };
      examined += 1;
      to = sequence + 1;
      count(rows, line);
    }
    return { rows: [...rows.values()], from: begin, to, next: undefined, last };
  }

  /** Throws `entity_version_conflict` when somebody else reviewed at the same time, or further. */
  async finish(to: number, administrator: string, mutation: Mutation): Promise<void> {
    const { ledger, vault, file, now = Date.now } = this.#options;
    if (to > file.size) throw new SpikeError('data_invalid_input', 'the audit is not so long');
    const key = vault.key(table, name);
    const row = await ledger.get(table, key);
    const last = row === undefined ? undefined : decode(vault.open(table, row));
    if (last !== undefined && last.to > to)
      throw new SpikeError(
        'entity_version_conflict',
        `the access was reviewed up to line ${last.to} already`,
      );
    const plaintext = encodeRecord({ to, time: now(), administrator });
    const revision = (row?.revision ?? 0) + 1;
    const sealed = vault.seal(table, key, { revision, version: 0, field: 0 }, plaintext);
    await ledger.commit(
      [
        {
          kind: 'put',
          table,
          row: sealed,
          expect: row === undefined ? 'absent' : { revision: row.revision },
        },
      ],
      mutation,
    );
  }

  async mark(): Promise<ReviewMark | undefined> {
    const { ledger, vault } = this.#options;
    const row = await ledger.get(table, vault.key(table, name));
    return row === undefined ? undefined : decode(vault.open(table, row));
  }
}

function count(rows: Map<string, Access>, line: string): void {
  const facts = readFacts(line);
  if (facts === undefined || !reviewed.has(facts.action)) return;
  const { spiffeId, administrator, action, path, outcome, time } = facts;
  const key = JSON.stringify([spiffeId, administrator, action, path, outcome]);
  rows.set(key, {
    spiffeId,
    ...(administrator === undefined ? {} : { administrator }),
    action,
    ...(path === undefined ? {} : { path }),
    outcome,
    count: (rows.get(key)?.count ?? 0) + 1,
    lastTime: time,
  });
}

function decode(bytes: Uint8Array): ReviewMark {
  const record = decodeRecord(bytes);
  return {
    to: readNumber(record, 'to'),
    time: readNumber(record, 'time'),
    administrator: readText(record, 'administrator'),
  };
}
