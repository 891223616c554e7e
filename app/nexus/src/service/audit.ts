import type { AuditFile, Handover } from '@spike/audit';
import type { Tenant } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { AlertPort } from '../alert/port.ts';
import type { Checkpointer } from '../audit/checkpointer.ts';
import type { Ledger, Vault } from '../vault/port.ts';
import { fits, isVisible, needlesOf, readFacts, type AuditFilter, type Viewer } from './audit-filter.ts';
import { AuditReview, type Review } from './audit-review.ts';
import type { KeyedLock } from './keyed-lock.ts';
import type { Mutation } from './port.ts';
import { SharedCheck } from './shared-check.ts';

/** Permission to read the audit, and whose of it. */
export interface GrantedAudit {
  readonly permission: { readonly tenant: Tenant };
  readonly administrator: { readonly name: string } | undefined;
}

export interface AuditServiceOptions {
  readonly file: AuditFile;
  readonly checkpointer: Checkpointer;
  readonly ledger: Ledger;
  readonly vault: Vault;
  /** What a whole check of store and audit finds. */
  readonly warnings: () => readonly string[];
  readonly alerts: AlertPort;
  /** Of what reads everything: one at a time. */
  readonly turns: KeyedLock;
}

/** What a check of every line found. */
export interface AuditCheck {
  readonly ok: boolean;
  readonly size: number;
  readonly first: number;
  readonly problems: readonly string[];
}

export interface Page {
  readonly lines: readonly string[];
  /** Where to go on; undefined where nothing follows. */
  readonly next: number | undefined;
}

/** Lines that are looked at for one request. */
const mostExamined = 20_000;
/** In bytes, of the lines of one answer: escaped once more, as JSON in JSON, they still fit into it. */
const mostBytes = 2 * 1024 * 1024;

/** The rules of reading the audit. Nothing that it answers is secret to whoever may read it; paths are in it. */
export class AuditService implements AsyncDisposable {
  readonly #options: AuditServiceOptions;
  readonly #review: AuditReview;
  readonly #check: SharedCheck<AuditCheck>;

  constructor(options: AuditServiceOptions) {
    this.#options = options;
    this.#review = new AuditReview(options);
    this.#check = new SharedCheck(options.turns, (signal) => this.#verify(signal));
  }

  /** The last lines, or those from a place on. */
  async tail(
    grant: GrantedAudit,
    { after, limit }: { readonly after?: number | undefined; readonly limit: number },
    signal: AbortSignal,
  ): Promise<{ readonly lines: readonly string[]; readonly next: number }> {
    const { size } = this.#options.file;
    if (after !== undefined) {
      const { lines, next } = await this.#pick(grant, { from: after, limit, filter: {} }, signal);
      return { lines, next: next ?? Math.max(size, after) };
    }
    // Who sees little is shown the last of what he sees in as much as is looked at for one request.
    const from = Math.max(0, size - (grant.permission.tenant === undefined ? limit : mostExamined));
    const viewer = viewerOf(grant);
    const lines: string[] = [];
    let bytes = 0;
    for await (const { sequence, line } of this.#options.file.scan(from, signal)) {
      if (sequence >= size) break;
      if (!isVisible(viewer.tenant === undefined ? undefined : readFacts(line), viewer)) continue;
      lines.push(line);
      bytes += line.length;
      while (lines.length > limit || (bytes > mostBytes && lines.length > 1))
        bytes -= lines.shift()?.length ?? 0;
    }
    return { lines, next: size };
  }

  async search(
    grant: GrantedAudit,
    asked: { readonly from: number; readonly limit: number; readonly filter: AuditFilter },
    signal: AbortSignal,
  ): Promise<Page> {
    return this.#pick(grant, asked, signal);
  }

  async checkpoint(): Promise<string> {
    const { note } = await this.#options.checkpointer.sign();
    return note;
  }

  /** Throws `api_not_found` for a line that is gone, still to come, or none of his. */
  async prove(
    grant: GrantedAudit,
    sequence: number,
    signal: AbortSignal,
  ): Promise<{ readonly line: string; readonly hashes: readonly Uint8Array[]; readonly checkpoint: string }> {
    const { file, checkpointer } = this.#options;
    const checkpoint = await checkpointer.sign();
    const line = await file.line(sequence, signal);
    const hashes = await file.proveInclusion(sequence, checkpoint.size, signal);
    if (line === undefined || hashes === undefined || !isVisible(readFacts(line), viewerOf(grant)))
      throw missing(file);
    return { line, hashes, checkpoint: checkpoint.note };
  }

  /** Throws `api_not_found` for a size that the log never had: whoever saw it so saw another log. */
  async consistency(
    size: number,
    signal: AbortSignal,
  ): Promise<{ readonly hashes: readonly Uint8Array[]; readonly checkpoint: string }> {
    const { file, checkpointer } = this.#options;
    const checkpoint = await checkpointer.sign();
    const hashes = await file.proveConsistency(size, checkpoint.size, signal);
    if (hashes === undefined) {
      throw new SpikeError('api_not_found', `the audit has ${checkpoint.size} lines and never had ${size}`);
    }
    return { hashes, checkpoint: checkpoint.note };
  }

  /** Throws `access_unauthorized` for a tenant_admin, who does not see the lines of others. */
  async export(
    grant: GrantedAudit,
    { from, limit }: { readonly from: number; readonly limit: number },
    signal: AbortSignal,
  ): Promise<{
    readonly lines: readonly string[];
    readonly next: number;
    readonly first: number;
    readonly edge: readonly Uint8Array[];
    readonly size: number;
  }> {
    assertWhole(grant);
    const { file } = this.#options;
    const { size, first } = file;
    const begin = Math.min(Math.max(from, first), size);
    const lines: string[] = [];
    let bytes = 0;
    for await (const { line } of file.scan(begin, signal)) {
      bytes += line.length;
      if (lines.length >= limit || (bytes > mostBytes && lines.length > 0)) break;
      lines.push(line);
    }
    const edge = (await file.edge(begin, signal)) ?? [];
    return { lines, next: begin + lines.length, first, edge, size: file.size };
  }

  async key(signal: AbortSignal): Promise<{ readonly key: string; readonly handovers: readonly Handover[] }> {
    const { checkpointer, file } = this.#options;
    return { key: checkpointer.key, handovers: await checkpointer.handovers.prove(file, signal) };
  }

  /** Who read what, from the last review on unless told. Throws `access_unauthorized` for a tenant_admin. */
  async review(grant: GrantedAudit, from: number | undefined, signal: AbortSignal): Promise<Review> {
    assertWhole(grant);
    return this.#review.read(from, signal);
  }

  async finishReview(grant: GrantedAudit, to: number, mutation: Mutation): Promise<void> {
    await this.#review.finish(to, grant.administrator?.name ?? '', mutation);
  }

  /** Of the last review, in milliseconds since 1970; undefined when there was none. */
  async lastReview(): Promise<number | undefined> {
    const mark = await this.#review.mark();
    return mark?.time;
  }

  /** Whoever asks while one runs gets what that one finds. */
  verify(signal: AbortSignal): Promise<AuditCheck> {
    return this.#check.run(signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#check[Symbol.asyncDispose]();
  }

  async #verify(signal: AbortSignal): Promise<AuditCheck> {
    const { file, checkpointer, warnings, alerts } = this.#options;
    const problems = warnings().filter((warning) => warning.includes('audit'));
    const { ok, misplaced } = await file.verify(signal);
    if (misplaced !== undefined) problems.push(`line ${misplaced} is not the one that belongs there`);
    else if (!ok) problems.push('the lines are not those that were written');
    const { last } = checkpointer;
    if (last !== undefined && !(await file.leadsTo(last, signal)))
      problems.push('the lines do not lead to the last checkpoint');
    const [problem] = problems;
    if (problem !== undefined && !warnings().includes(problem))
      alerts.raise({ kind: 'audit_chain_broken', message: problem });
    return { ok: problems.length === 0, size: file.size, first: file.first, problems };
  }

  async #pick(
    grant: GrantedAudit,
    { from, limit, filter }: { readonly from: number; readonly limit: number; readonly filter: AuditFilter },
    signal: AbortSignal,
  ): Promise<Page> {
    const viewer: Viewer = viewerOf(grant);
    const needles = needlesOf(filter);
    const lines: string[] = [];
    let [examined, bytes] = [0, 0];
    for await (const { sequence, line } of this.#options.file.scan(from, signal)) {
      if (examined >= mostExamined || lines.length >= limit || bytes > mostBytes)
        return { lines, next: sequence };
      examined += 1;
      if (!needles.every((needle) => line.includes(needle))) continue;
      const facts = readFacts(line);
      const isAsked = needles.length === 0 && filter.since === undefined && filter.until === undefined;
      if (!isVisible(facts, viewer) || !(isAsked || (facts !== undefined && fits(facts, filter)))) continue;
      lines.push(line);
      bytes += line.length;
    }
    return { lines, next: undefined };
  }
}

function viewerOf({ permission, administrator }: GrantedAudit): Viewer {
  return { tenant: permission.tenant, administrator: administrator?.name };
}

function assertWhole({ permission }: GrantedAudit): void {
  if (permission.tenant === undefined) return;
  throw new SpikeError('access_unauthorized', 'the whole audit is not for the administrator of a tenant');
}

function missing({ first, size }: AuditFile): SpikeError {
  return new SpikeError(
    'api_not_found',
    `there is no such line: the audit has those from ${first} to ${size - 1}`,
  );
}
