import type { AuditFile } from '@spike/audit';
import { SpikeError } from '@spike/error';
import type { Log } from '@spike/log';
import type { Store } from '@spike/store';
import { AccessLayer, type LayerSettings } from './admin/layer.ts';
import type { AlertPort } from './alert/port.ts';
import { noteRollback, tellOfAnchors } from './anchor-warning.ts';
import type { Checkpointer } from './audit/checkpointer.ts';
import { openCheckpointer, type LogKeeping } from './audit/opening.ts';
import { AuditKeyRotation } from './audit/rotation.ts';
import { Retention } from './audit/retention.ts';
import { toRest, type FileAudit } from './audit-port.ts';
import { BackgroundCheck } from './background-check.ts';
import { finders } from './backup/place.ts';
import { BackupService } from './backup/service.ts';
import type { SealedPart } from './book/sealed-book.ts';
import { Emergency, type EmergencySettings } from './emergency.ts';
import { Denials } from './denial/denials.ts';
import type { DenialSettings } from './denial/port.ts';
import { openStoredTime } from './denial/time.ts';
import type { HistoryPort } from './history/port.ts';
import type { LossBook } from './identity/record.ts';
import type { ResetPlace } from './reset/place.ts';
import type { ResetPorts } from './reset/port.ts';
import { ResetService } from './reset/reset.ts';
import { AuditService } from './service/audit.ts';
import { CipherService } from './service/cipher.ts';
import { KeyedLock } from './service/keyed-lock.ts';
import { PolicyService } from './service/policy.ts';
import type { PolicyLimits } from './service/policy-room.ts';
import { SecretService } from './service/secret.ts';
import { SharedCheck } from './service/shared-check.ts';
import type { Anchor } from './vault/anchor.ts';
import type { AnchorFile } from './vault/anchor-file.ts';
import { readNotes, writeNote, type NotedAnchor } from './vault/anchor-note.ts';
import type { OpenInstance } from './vault/instance.ts';
import { openLedger, type GroupLedger } from './vault/ledger.ts';
import { verifyEverything, type Verification } from './verification.ts';

export interface ServingOptions {
  readonly store: Store;
  readonly audit: AuditFile;
  readonly fileAudit: FileAudit;
  readonly logKeeping: LogKeeping;
  /** What the audit is to hold of the time before. */
  readonly losses: LossBook;
  /** Undefined for a store that does not outlive this process. */
  readonly anchorFile: AnchorFile | undefined;
  /** What the Keepers gave back with their shares, verified or not. */
  readonly notes: readonly NotedAnchor[];
  readonly acceptRollback: string | undefined;
  /** Bound of the cache of sealed rows. */
  readonly cacheBytes?: number;
  readonly maxPolicies: PolicyLimits;
  readonly maxSecretVersions: number;
  readonly maxValueBytes: number;
  readonly maxSecretBytes: number;
  readonly maxCiphertextBytes: number;
  readonly alerts: AlertPort;
  readonly history: HistoryPort;
  /** They keep things in the store as long as it is unlocked. */
  readonly sealed: readonly SealedPart[];
  /** Undefined where a superuser's SVID is enough. */
  readonly access?: LayerSettings | undefined;
  /** Of this program, for backups. */
  readonly release: string;
  /** Of a factory reset; without a place where the store does not outlive this process. */
  readonly reset: { readonly place: ResetPlace | undefined; readonly ports: ResetPorts };
  readonly emergency: EmergencySettings;
  readonly denial: DenialSettings;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Everything that serves on an unlocked instance; disposing of it waits for the writes that were taken and wipes the keys. */
export class Serving implements AsyncDisposable {
  readonly instance: OpenInstance;
  readonly policies: PolicyService;
  readonly secrets: SecretService;
  readonly cipher: CipherService;
  /** Undefined where a superuser's SVID is enough. */
  readonly access: AccessLayer | undefined;
  readonly backups: BackupService;
  readonly audit: AuditService;
  readonly checkpointer: Checkpointer;
  readonly rotation: AuditKeyRotation;
  readonly reset: ResetService;
  readonly emergency: Emergency;
  readonly denials: Denials;
  /** What a person has to know: anchors that do not verify, an audit that is not the one that was written. */
  readonly warnings: readonly string[];
  readonly #ledger: GroupLedger;
  readonly #resources: AsyncDisposableStack;
  readonly #options: ServingOptions;
  readonly #retention: Retention;
  readonly #stop = new AbortController();
  /** Of what reads everything. */
  readonly #turns = new KeyedLock();
  readonly #full: SharedCheck<Verification>;
  #check: BackgroundCheck | undefined;
  #tidying: NodeJS.Timeout | undefined;

  private constructor(
    options: ServingOptions,
    instance: OpenInstance,
    resources: AsyncDisposableStack,
    ledger: GroupLedger,
    policies: PolicyService,
    access: AccessLayer | undefined,
    backups: BackupService,
    emergency: Emergency,
    denials: Denials,
    checkpointer: Checkpointer,
    warnings: string[],
  ) {
    this.#options = options;
    this.instance = instance;
    this.#ledger = ledger;
    this.policies = policies;
    this.secrets = new SecretService({
      vault: instance.vault,
      ledger,
      engine: policies.engine,
      maxVersions: options.maxSecretVersions,
      maxValueBytes: options.maxValueBytes,
      maxSecretBytes: options.maxSecretBytes,
    });
    this.access = access;
    this.backups = backups;
    this.emergency = emergency;
    this.denials = denials;
    this.cipher = new CipherService({
      keys: instance.cipher,
      maxCiphertextBytes: options.maxCiphertextBytes,
    });
    this.reset = new ResetService({
      instance: instance.instance,
      keys: instance.reset,
      ledger,
      ...options.reset,
    });
    this.warnings = warnings;
    this.checkpointer = checkpointer;
    this.rotation = new AuditKeyRotation({ store: options.store, ledger, instance, checkpointer });
    const { audit, fileAudit, logKeeping, log } = options;
    this.audit = new AuditService({
      file: audit,
      checkpointer,
      ledger,
      vault: instance.vault,
      warnings: () => warnings,
      alerts: options.alerts,
      turns: this.#turns,
    });
    this.#full = new SharedCheck(this.#turns, (signal, pace) => this.#verify(signal, pace));
    this.#retention = new Retention({
      audit,
      keepMs: logKeeping.keepMs,
      keepBytes: logKeeping.keepBytes,
      neededFrom: () => ledger.state.outboxFrom,
      sign: async () => checkpointer.sign(),
      note: (action, fields) => toRest(fileAudit.note(action, fields)),
      onRefused: (from) => {
        const message = `old lines of the audit, from ${from} on, are not those that were written`;
        warnings.push(message);
        options.alerts.raise({ kind: 'audit_chain_broken', message });
      },
      log,
    });
    resources.defer(() => this.#retention.settled);
    // Last: until nothing can fail any more they are the opener's.
    this.#resources = resources.move();
  }

  /**
   * Owns the instance from the call on, also when it fails. Throws `store_integrity` and `store_missing` as `openLedger` does.
   */
  static async open(instance: OpenInstance, options: ServingOptions): Promise<Serving> {
    const { store, anchorFile, log, signal, fileAudit } = options;
    const noted = readNotes(instance.anchors, options.notes);
    const anchors: Anchor[] = [
      ...(anchorFile?.found.kind === 'found' ? [anchorFile.found.anchor] : []),
      ...(noted.anchor === undefined ? [] : [noted.anchor]),
    ];
    // In this order, from its end: what fails half-way, here or at the end, leaves nothing running and no key.
    await using stack = new AsyncDisposableStack();
    stack.use(instance);
    // The last anchor is signed with a key that goes with the instance.
    stack.defer(async () => await anchorFile?.flush());
    // Sessions ask about break-glasses, which lie in the books of sessions.
    const late: { policies?: PolicyService; emergency?: Emergency } = {};
    const ledger = await openLedger({
      store,
      instance,
      anchors,
      ...(anchorFile === undefined ? {} : { anchorFile }),
      audit: fileAudit.position,
      late: (draft) => {
        fileAudit.appendCommitted(draft).catch(() => undefined);
        // What can't be read now is read before the next look at policies.
        late.policies?.settle().catch(() => undefined);
      },
      ...(options.cacheBytes === undefined ? {} : { cacheBytes: options.cacheBytes }),
      ...(options.acceptRollback === undefined ? {} : { accepted: options.acceptRollback }),
    });
    stack.use(ledger);
    const { checkpointer, warnings } = await openCheckpointer(instance, ledger, anchors, options);
    stack.use(checkpointer);
    warnings.push(...tellOfAnchors(ledger, noted, options));
    // Before anything is committed here: a store that has one and no anchor could be put back unnoticed.
    if (anchorFile?.found.kind !== 'found') await anchorFile?.flush();
    noteRollback(instance, ledger, anchors, options);
    for (const warning of warnings) log.error('nexus.warning', { message: warning });
    const { alerts } = options;
    const policies = await PolicyService.load(
      { vault: instance.vault, ledger, alerts, limits: options.maxPolicies },
      signal,
    );
    late.policies = policies;
    const access =
      options.access === undefined
        ? undefined
        : await AccessLayer.open(
            {
              isEmergency: (name) => late.emergency?.breakglass?.isOpen(name) ?? false,
              ...options.access,
              vault: instance.vault,
              ledger,
              key: instance.accessKey,
            },
            signal,
          );
    stack.use(access);
    const backups = stack.use(
      await BackupService.open({
        store,
        ledger,
        instance,
        finders,
        release: options.release,
        checkpoints: () => {
          const { last } = checkpointer;
          return last === undefined ? [] : [last.note];
        },
      }),
    );
    if (backups.restoring !== undefined) {
      const { restoring } = backups;
      log.warn('backup.restoring', { instance: restoring.instance, startedAt: restoring.startedAt });
    }
    for (const part of options.sealed) {
      // Also when it is attached half-way.
      stack.defer(() => part.detach());
      await part.attach({ vault: instance.vault, ledger });
    }
    fileAudit.onAdministrative = () => checkpointer.nudge();
    const settings = {
      ...options.emergency,
      instance,
      ledger,
      audit: options.audit,
      journal: fileAudit,
      history: options.history,
      access,
    };
    const emergency = stack.use(await Emergency.open(settings, signal));
    late.emergency = emergency;
    const { history } = options;
    const place = { vault: instance.vault, ledger };
    const time = access?.books ?? (await openStoredTime(place));
    const denials = stack.use(
      await Denials.load({ ...options.denial, ...place, time, journal: fileAudit, history }, signal),
    );
    return new Serving(
      options,
      instance,
      stack,
      ledger,
      policies,
      access,
      backups,
      emergency,
      denials,
      checkpointer,
      warnings,
    );
  }

  /** The anchor of the last acknowledged transaction, for the Keepers to keep. */
  get note(): string {
    return writeNote(this.#ledger.anchor());
  }

  /** Starts the full check, which gives way to requests; what it finds is noted, and nothing is changed. */
  checkInBackground(note: (problems: readonly string[]) => void): void {
    const { log } = this.#options;
    this.#check ??= new BackgroundCheck({ verify: (signal, pace) => this.verify(signal, pace), note, log });
  }

  /** Number of the last transaction. */
  get revision(): number {
    return this.#ledger.revision;
  }

  /** A restore changes records under the eyes of the check, and seals them with a key that is opened at its end. */
  async stopCheck(): Promise<void> {
    await this.#check?.[Symbol.asyncDispose]();
  }

  /** Signs checkpoints at intervals, and gives up lines of the audit that are not to be kept. */
  keepLog(): void {
    this.checkpointer.start();
    const tidy = (): void => void this.#retention.look(this.#stop.signal);
    this.#tidying ??= setInterval(tidy, this.#options.logKeeping.checkpointMs).unref();
  }

  /**
   * Opens every record of the store and hashes every line of the audit; `pace` is waited for between two pages. One runs at
   * a time: whoever asks meanwhile gets what it finds.
   */
  verify(signal: AbortSignal, pace?: () => Promise<void>): Promise<Verification> {
    return this.#full.run(signal, pace);
  }

  async #verify(signal: AbortSignal, pace: () => Promise<void>): Promise<Verification> {
    const { store, audit, alerts } = this.#options;
    const { vault } = this.instance;
    const isRestoring = (): boolean => this.backups.restoring !== undefined;
    return await verifyEverything(
      { store, audit, ledger: this.#ledger, vault, alerts, isRestoring },
      signal,
      pace,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SpikeError('state_not_ready', 'Nexus closes what it serves, or opens it anew'));
    await this.#check?.[Symbol.asyncDispose]();
    // Records that are looked at when the keys are gone already would seem to be damaged.
    await this.#full[Symbol.asyncDispose]();
    await this.audit[Symbol.asyncDispose]();
    clearInterval(this.#tidying);
    await this.#resources.disposeAsync();
  }
}
