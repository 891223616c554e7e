import type { AuditFile } from '@spike/audit';
import type { Log } from '@spike/log';
import { tables, type Store, type Table } from '@spike/store';
import { BackgroundCheck } from './background-check.ts';
import { PolicyService } from './service/policy.ts';
import { SecretService } from './service/secret.ts';
import type { Anchor } from './vault/anchor.ts';
import type { AnchorFile } from './vault/anchor-file.ts';
import type { OpenInstance } from './vault/instance.ts';
import { openLedger, type GroupLedger } from './vault/ledger.ts';
import { toRest, type FileAudit } from './audit-port.ts';

export interface ServingOptions {
  readonly store: Store;
  readonly audit: AuditFile;
  readonly fileAudit: FileAudit;
  /** Undefined for a store that does not outlive this process. */
  readonly anchorFile: AnchorFile | undefined;
  readonly acceptRollback: string | undefined;
  readonly maxSecretVersions: number;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export interface Verification {
  readonly ok: boolean;
  readonly checked: number;
  readonly problems: string[];
}

/** What the ceremony leaves: nobody can have written an anchor of it before. */
const newStoreRevision = 1;
const pageRows = 200;
const mostProblems = 100;
const sealedTables: readonly Table[] = tables.filter((table) => table !== 'state');

/** Everything that serves on an unlocked instance; disposing of it waits for the writes that were taken and wipes the keys. */
export class Serving implements AsyncDisposable {
  readonly instance: OpenInstance;
  readonly policies: PolicyService;
  readonly secrets: SecretService;
  /** What a person has to know: anchors that do not verify, an audit that is not the one that was written. */
  readonly warnings: readonly string[];
  readonly #ledger: GroupLedger;
  readonly #options: ServingOptions;
  #check: BackgroundCheck | undefined;

  private constructor(
    options: ServingOptions,
    instance: OpenInstance,
    ledger: GroupLedger,
    policies: PolicyService,
    secrets: SecretService,
    warnings: readonly string[],
  ) {
    this.#options = options;
    this.instance = instance;
    this.#ledger = ledger;
    this.policies = policies;
    this.secrets = secrets;
    this.warnings = warnings;
  }

  /** Throws `store_integrity` and `store_missing` as `openLedger` does. */
  static async open(instance: OpenInstance, options: ServingOptions): Promise<Serving> {
    const { store, anchorFile, log, signal, fileAudit } = options;
    const anchors: Anchor[] = anchorFile?.found.kind === 'found' ? [anchorFile.found.anchor] : [];
    let policies: PolicyService | undefined;
    const ledger = await openLedger({
      store,
      instance,
      anchors,
      ...(anchorFile === undefined ? {} : { anchorFile }),
      audit: fileAudit.position,
      late: (draft) => {
        fileAudit.appendCommitted(draft).catch(() => undefined);
        // What can't be read now is read before the next look at policies.
        policies?.settle().catch(() => undefined);
      },
      ...(options.acceptRollback === undefined ? {} : { accepted: options.acceptRollback }),
    });
    try {
      const warnings = await reconcileAudit(instance, ledger, anchors, options);
      if (anchorFile?.found.kind === 'absent' && ledger.revision > newStoreRevision)
        warnings.push('there is no anchor file, so an older store would not be noticed; it is written anew');
      if (anchorFile?.found.kind === 'damaged')
        warnings.push('the anchor file cannot be read; it is written anew');
      if (ledger.invalidAnchors > 0) warnings.push('the anchor file does not verify; it is written anew');
      for (const warning of warnings) log.error('nexus.warning', { message: warning });
      policies = await PolicyService.load({ vault: instance.vault, ledger }, signal);
      const secrets = new SecretService({
        vault: instance.vault,
        ledger,
        engine: policies.engine,
        maxVersions: options.maxSecretVersions,
      });
      return new Serving(options, instance, ledger, policies, secrets, warnings);
    } catch (error) {
      await ledger[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Starts the full check, which gives way to requests; what it finds is noted, and nothing is changed. */
  checkInBackground(note: (problems: readonly string[]) => void): void {
    const { log } = this.#options;
    this.#check ??= new BackgroundCheck({ verify: (signal, pace) => this.verify(signal, pace), note, log });
  }

  /** Opens every record of the store and hashes every line of the audit; `pace` is waited for between two pages. */
  async verify(signal: AbortSignal, pace?: () => Promise<void>): Promise<Verification> {
    const problems: string[] = [];
    const { store, audit } = this.#options;
    const checkedStore = await store.verify(signal);
    problems.push(...checkedStore.problems);
    const checkedAudit = await audit.verify(signal);
    if (!checkedAudit.ok) problems.push('the audit is not the one that was written');
    let checked = 0;
    for (const table of sealedTables) {
      let after: Uint8Array | undefined;
      for (;;) {
        signal.throwIfAborted();
        const rows = await this.#ledger.list(table, new Uint8Array(0), {
          limit: pageRows,
          ...(after === undefined ? {} : { after }),
        });
        for (const row of rows) {
          checked += 1;
          if (problems.length < mostProblems && !this.#opens(table, row)) {
            problems.push(`a record of the table ${table} does not open`);
          }
        }
        after = rows.at(-1)?.key;
        if (rows.length < pageRows) break;
        await pace?.();
      }
    }
    return { ok: problems.length === 0, checked, problems };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // It opens records with the keys that go with the instance.
    await this.#check?.[Symbol.asyncDispose]();
    await this.#ledger[Symbol.asyncDispose]();
    // The last anchor is signed with a key that goes with the instance.
    await this.#options.anchorFile?.flush();
    this.instance[Symbol.dispose]();
  }

  #opens(table: Table, row: Parameters<OpenInstance['vault']['open']>[1]): boolean {
    try {
      this.instance.vault.open(table, row).fill(0);
      return true;
    } catch {
      return false;
    }
  }
}

/**
 * Brings audit and store together again after a stop of any kind: compares the file with what state record and anchor
 * name, and appends what only the outbox holds. Answers what a person has to know; nothing is mended.
 */
async function reconcileAudit(
  instance: OpenInstance,
  ledger: GroupLedger,
  anchors: readonly Anchor[],
  options: ServingOptions,
): Promise<string[]> {
  const { audit, fileAudit, signal } = options;
  const warnings: string[] = [];
  const named = [
    { where: 'the state record', size: ledger.state.auditSize, root: ledger.state.auditRoot },
    ...anchors
      .filter((anchor) => instance.anchors.verify(anchor))
      .map((anchor) => ({ where: 'the anchor', size: anchor.auditSize, root: anchor.auditRoot })),
  ];
  for (const { where, size, root } of named) {
    const comparison = await audit.compare({ size, root }, signal);
    if (comparison !== 'ok') warnings.push(`the audit is ${comparison} than ${where} says`);
  }
  const pending = ledger.pendingOutbox();
  const present =
    pending.length === 0
      ? new Map<string, number>()
      : await findTrails(audit, ledger.state.outboxFrom, new Set(pending.map(({ trail }) => trail)), signal);
  for (const record of pending) {
    const sequence = present.get(record.trail);
    if (sequence === undefined) await fileAudit.replay(record, ledger);
    else ledger.recorded(record.trail, sequence);
  }
  fileAudit.attach(ledger);
  if (audit.cutBytes > 0) {
    await audit.append(toRest(fileAudit.note('audit.cut', { bytes: audit.cutBytes })));
  }
  await audit.drainUnready((entries) => toRest(fileAudit.note('audit.resumed', { entries })));
  return warnings;
}

/** Where the successes of these trails stand, from this place on; it reads no further than it has to. */
async function findTrails(
  audit: AuditFile,
  from: number,
  wanted: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  if (from > audit.size) return found;
  for await (const { sequence, line } of audit.scan(from, signal)) {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || Reflect.get(value, 'outcome') !== 'ok') continue;
    const trail: unknown = Reflect.get(value, 'trail');
    if (typeof trail !== 'string' || !wanted.has(trail)) continue;
    found.set(trail, sequence);
    if (found.size === wanted.size) break;
  }
  return found;
}
