import type { AuditFile, SignedCheckpoint } from '@spike/audit';
import type { Log } from '@spike/log';
import type { AlertPort } from '../alert/port.ts';
import { toRest, type FileAudit } from '../audit-port.ts';
import { recordLosses, recordReturn, type LossBook } from '../identity/record.ts';
import { readFacts } from '../service/audit-filter.ts';
import type { Anchor } from '../vault/anchor.ts';
import type { OpenInstance } from '../vault/instance.ts';
import type { GroupLedger } from '../vault/ledger.ts';
import { Checkpointer, readCheckpoint, type CheckpointSink } from './checkpointer.ts';
import { originOf } from './origin.ts';

/** How the audit is signed and kept. */
export interface LogKeeping {
  /** Where the log's files lie. */
  readonly directory: string;
  /** Ours, which the log's name begins with. */
  readonly trustDomain: string;
  /** How often a checkpoint is signed, in milliseconds. */
  readonly checkpointMs: number;
  /** Lines are given up when they are older, in milliseconds; undefined keeps them. */
  readonly keepMs: number | undefined;
  /** The oldest lines are given up when all have more bytes; undefined keeps them. */
  readonly keepBytes: number | undefined;
  /** Who keeps checkpoints besides the checkpoint file and the anchor. */
  readonly sinks: readonly CheckpointSink[];
}

/** What there is to know of the log besides the instance. */
export interface LogOptions {
  readonly audit: AuditFile;
  readonly fileAudit: FileAudit;
  readonly logKeeping: LogKeeping;
  readonly losses: LossBook;
  readonly alerts: AlertPort;
  /** Undefined where the SVID of a superuser is enough. */
  readonly access?: object | undefined;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Stands in the audit at each unlocking, so that its reader knows why superusers have no names in it (admin.md C9). */
const svidSays = 'SPIKE_NEXUS_ADMIN_AUTH is svid: the SVID of a superuser is enough, without a password';

export interface OpenedLog {
  readonly checkpointer: Checkpointer;
  readonly warnings: string[];
}

/** Reconciles the audit, and opens what signs it: which it does not when the log is not what it was. */
export async function openCheckpointer(
  instance: OpenInstance,
  ledger: GroupLedger,
  anchors: readonly Anchor[],
  options: LogOptions,
): Promise<OpenedLog> {
  const { audit, fileAudit, logKeeping, log } = options;
  const { directory, trustDomain } = logKeeping;
  const origin = originOf({ trustDomain, instance: instance.instance });
  const signers = instance.audit.signers(origin);
  const kept = await readCheckpoint(directory);
  const isOurs = kept?.origin === origin && signers.some(({ verifier }) => verifier.verifies(kept.signed));
  const last = isOurs ? kept : undefined;
  const { warnings, isBroken } = await reconcileAudit(instance, ledger, anchors, last, options);
  const checkpointer = await Checkpointer.open(
    {
      audit,
      signers,
      directory,
      everyMs: logKeeping.checkpointMs,
      onSigned: (head) => ledger.noteAudit(head),
      sinks: logKeeping.sinks,
      note: (action, fields) => toRest(fileAudit.note(action, fields)),
      log,
    },
    isBroken ? undefined : last,
  );
  if (isBroken)
    checkpointer.halt('the audit is not the one that was signed; keep a copy of it, and find out why');
  return { checkpointer, warnings };
}

/**
 * Brings audit and store together again after a stop of any kind: compares the file with what state record and anchor
 * name, and appends what only the outbox holds. Answers what a person has to know; nothing is mended.
 */
async function reconcileAudit(
  instance: OpenInstance,
  ledger: GroupLedger,
  anchors: readonly Anchor[],
  last: SignedCheckpoint | undefined,
  options: LogOptions,
): Promise<{ readonly warnings: string[]; readonly isBroken: boolean }> {
  const { audit, fileAudit, signal } = options;
  const warnings: string[] = [];
  const named = [
    { where: 'the state record', size: ledger.state.auditSize, root: ledger.state.auditRoot },
    ...anchors
      .filter((anchor) => instance.anchors.verify(anchor))
      .flatMap((anchor) => [{ size: anchor.auditSize, root: anchor.auditRoot }, anchor.signed ?? []].flat())
      .map(({ size, root }) => ({ where: 'the anchor', size, root })),
    ...(last === undefined ? [] : [{ where: 'the last checkpoint', size: last.size, root: last.root }]),
  ];
  await audit.cutDamage(Math.max(...named.map(({ size }) => size)), signal);
  for (const { where, size, root } of named) {
    const comparison = await audit.compare({ size, root }, signal);
    if (comparison === 'ok') continue;
    const message = `the audit is ${comparison} than ${where} says`;
    warnings.push(message);
    options.alerts.raise({ kind: 'audit_chain_broken', message, detail: { size, found: audit.size } });
  }
  const isBroken = warnings.length > 0;
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
  await audit.noteCut((bytes) => toRest(fileAudit.note('audit.cut', { bytes })));
  await audit.drainUnready((entries) => toRest(fileAudit.note('audit.resumed', { entries })));
  const loss = options.losses.unreturned;
  await recordLosses(options, 'on return');
  if (loss !== undefined) await recordReturn(options, loss, 'fetched');
  if (options.access === undefined)
    await audit.append(toRest(fileAudit.note('access.svid', { message: svidSays })));
  return { warnings, isBroken };
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
    // A line that somebody damaged is told of elsewhere, and must not keep the store locked.
    const facts = readFacts(line);
    if (facts?.outcome !== 'ok' || !wanted.has(facts.trail)) continue;
    found.set(facts.trail, sequence);
    if (found.size === wanted.size) break;
  }
  return found;
}
