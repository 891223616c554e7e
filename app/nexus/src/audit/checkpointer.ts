import { join } from 'node:path';
import {
  handoverAction,
  parseCheckpoint,
  signCheckpoint,
  type AuditFile,
  type NoteSigner,
  type SignedCheckpoint,
  type TreeHead,
} from '@spike/audit';
import { readPrivateFile, writePrivateFile } from '@spike/config';
import { SpikeError } from '@spike/error';
import { describeError, type Log } from '@spike/log';
import { HandoverFile } from './handover-file.ts';

/** Somebody who keeps checkpoints where this process cannot change them, such as a log or a webhook. */
export interface CheckpointSink {
  /** Returns at once and never throws. */
  checkpoint(note: string): void;
}

export interface CheckpointerOptions {
  readonly audit: AuditFile;
  /** Of the audit keys, oldest first. The last one signs. */
  readonly signers: readonly NoteSigner[];
  /** Where the last checkpoint is kept, in a file of mode 0600. */
  readonly directory: string;
  /** How often one is signed when there is something new, in milliseconds. */
  readonly everyMs: number;
  /** Told of each, before it is given away: the anchor names it, too. */
  readonly onSigned: (head: TreeHead) => void;
  readonly sinks: readonly CheckpointSink[];
  /** Makes a record that no request did, as `FileAudit.note` does, without the opening brace. */
  readonly note: (action: string, fields: Readonly<Record<string, string | number>>) => string;
  readonly log: Log;
}

const longestCheckpoint = 128 * 1024;

/** The last checkpoint that was kept in this folder; undefined where there is none, or something else. */
export async function readCheckpoint(directory: string): Promise<SignedCheckpoint | undefined> {
  const bytes = await readPrivateFile(join(directory, 'checkpoint'), longestCheckpoint);
  try {
    return bytes === undefined ? undefined : parseCheckpoint(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Signs the head of the log at intervals, and whenever it is asked to, and gives it to everybody who keeps it. What is
 * signed was synced before. It never signs a log that is not the continuation of what was signed before.
 */
export class Checkpointer implements AsyncDisposable {
  readonly handovers: HandoverFile;
  readonly #options: CheckpointerOptions;
  #signer: NoteSigner;
  /** Whom the signer hands over to, with the next checkpoint. */
  #heir: NoteSigner | undefined;
  #last: SignedCheckpoint | undefined;
  #running: Promise<SignedCheckpoint> | undefined;
  #next: Promise<SignedCheckpoint> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #halted: string | undefined;
  #problem: string | undefined;

  private constructor(options: CheckpointerOptions, handovers: HandoverFile, signer: NoteSigner) {
    this.#options = options;
    this.handovers = handovers;
    this.#signer = signer;
  }

  /**
   * `last` is the checkpoint that was kept, when it is one of this log and one of these keys signed it. Where that was
   * an older key, it hands over to the newest.
   */
  static async open(options: CheckpointerOptions, last: SignedCheckpoint | undefined): Promise<Checkpointer> {
    const signer = options.signers.at(-1);
    if (signer === undefined) throw new TypeError('there is no key to sign with');
    const checkpointer = new Checkpointer(options, await HandoverFile.open(options.directory), signer);
    if (last !== undefined) await checkpointer.#takeOver(last);
    return checkpointer;
  }

  /** Starts to sign at intervals. */
  start(): void {
    this.#timer ??= setInterval(() => this.nudge(), this.#options.everyMs).unref();
  }

  /** From now on nothing is signed, because the log is not what it was: this says what is wrong with it. */
  halt(reason: string): void {
    this.#halted = reason;
    clearInterval(this.#timer);
  }

  /** The key whose signatures are good now, as text. */
  get key(): string {
    return this.#signer.verifier.toString();
  }

  get last(): SignedCheckpoint | undefined {
    return this.#last;
  }

  /** Why the last one could not be made or kept; undefined once it could. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Signs soon; a failure is a problem until the next time, and a line of the log. */
  nudge(): void {
    if (this.#halted !== undefined) return;
    this.sign().catch((error: unknown) => {
      this.#options.log.error('audit.checkpoint_failed', describeError(error));
    });
  }

  /**
   * A checkpoint of everything that was appended before this call. Throws SpikeError `audit_unavailable`, and
   * `store_integrity` when the log was tampered with.
   */
  async sign(): Promise<SignedCheckpoint> {
    if (this.#halted !== undefined) {
      throw new SpikeError('store_integrity', `no checkpoint is signed any more: ${this.#halted}`);
    }
    if (this.#running === undefined) return this.#run();
    // Whoever asks while one is made, which may have begun before his record came, shares the next.
    const { promise } = this.#afterwards(this.#running);
    return promise;
  }

  /**
   * From the next checkpoint on this key signs, and the one of now announces it there. Where that fails it is done with
   * the next checkpoint that can be made, and until then the key of now is the log's. Throws as `sign` does.
   */
  async adopt(heir: NoteSigner): Promise<SignedCheckpoint> {
    this.#heir = heir;
    return await this.sign();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (this.#halted === undefined) await this.sign().catch(() => undefined);
    this.#halted ??= 'Nexus is being stopped';
  }

  #afterwards(running: Promise<unknown>): { readonly promise: Promise<SignedCheckpoint> } {
    this.#next ??= running
      .catch(() => undefined)
      .then(async () => {
        this.#next = undefined;
        return this.sign();
      });
    return { promise: this.#next };
  }

  #run(): Promise<SignedCheckpoint> {
    const heir = this.#heir;
    const signing = heir === undefined ? this.#signOnce([this.#signer]) : this.#handOver(heir);
    this.#running = this.#noting(signing).finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #noting(signing: Promise<SignedCheckpoint>): Promise<SignedCheckpoint> {
    try {
      const checkpoint = await signing;
      this.#problem = undefined;
      return checkpoint;
    } catch (thrown) {
      const error = unavailable(thrown);
      this.#problem = `no checkpoint of the audit could be made: ${error.message}`;
      throw error;
    }
  }

  /** `before` is done when the checkpoint is made and nobody has it yet. */
  async #signOnce(
    signers: readonly [NoteSigner, ...NoteSigner[]],
    before: (checkpoint: SignedCheckpoint) => Promise<void> = () => Promise.resolve(),
  ): Promise<SignedCheckpoint> {
    const { audit, directory, sinks, onSigned } = this.#options;
    const head = await audit.sync();
    if (this.#last?.size === head.size && signers.length === 1) return this.#last;
    const { name: origin } = this.#signer.verifier;
    const checkpoint = signCheckpoint({ origin, ...head }, signers);
    await before(checkpoint);
    await writePrivateFile(join(directory, 'checkpoint'), checkpoint.note);
    this.#last = checkpoint;
    onSigned(head);
    for (const sink of sinks) sink.checkpoint(checkpoint.note);
    return checkpoint;
  }

  async #takeOver(last: SignedCheckpoint): Promise<void> {
    const { signers } = this.#options;
    if (this.#signer.verifier.verifies(last.signed)) {
      this.#last = last;
      return;
    }
    const old = signers.findLast(({ verifier }) => verifier.verifies(last.signed));
    if (old === undefined) return;
    this.#heir = this.#signer;
    this.#signer = old;
    await this.#handOver(this.#heir);
  }

  /** The key of now announces the next: by a leaf, and by one checkpoint that both sign. */
  async #handOver(heir: NoteSigner): Promise<SignedCheckpoint> {
    const { audit, note } = this.#options;
    const { sequence } = await audit.append(note(handoverAction, { key: heir.verifier.toString() }));
    // First: once there is a checkpoint of the new key nobody hands over to it any more.
    const checkpoint = await this.#signOnce([this.#signer, heir], async ({ note: text }) => {
      const line = await audit.line(sequence, AbortSignal.timeout(10_000));
      if (line === undefined) throw new SpikeError('audit_unavailable', 'the audit cannot be read again');
      await this.handovers.add({ sequence, line, note: text });
    });
    this.#signer = heir;
    if (this.#heir === heir) this.#heir = undefined;
    return checkpoint;
  }
}

function unavailable(thrown: unknown): SpikeError {
  if (thrown instanceof SpikeError) return thrown;
  const reason = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'it failed';
  return new SpikeError(
    'audit_unavailable',
    `its file was not written (${reason}); free or repair its disk`,
    {
      cause: thrown,
    },
  );
}
