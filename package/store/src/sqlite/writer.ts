import type { Worker } from 'node:worker_threads';
import { startThread } from '@spike/asset';
import { isErrorCode, SpikeError } from '@spike/error';
import type { CommitResult } from '../store.ts';
import { fromFailure } from './error.ts';
import type { Frame } from './frame.ts';
import { threadEnvironment } from './thread.ts';
import type { CommitAnswer, WriterAnswer, WriterRequest, WriterStart } from './message.ts';

/** What may lie between a batch and its answer before we stop waiting for the disk. */
const stallMs = 30_000;
const maxBatchCommits = 256;
const maxBatchBytes = 8 * 1024 * 1024;

interface Pending {
  readonly frame: Frame;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: SpikeError) => void;
}

export type SpawnWorker = (start: WriterStart) => Worker;

export function spawnWorker(start: WriterStart): Worker {
  return startThread(new URL('./worker.ts', import.meta.url), {
    workerData: start,
    name: 'store-writer',
    env: threadEnvironment(),
    // Its garbage is frames and their views, which need no large young generation.
    resourceLimits: { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8 },
  });
}

/**
 * The main thread's side of the writing thread. What arrives while a batch is being committed makes the next batch,
 * so that many waiting callers share one sync of the disk. A thread that dies is replaced at the next commit.
 */
export class Writer implements AsyncDisposable {
  readonly #start: WriterStart;
  readonly #spawn: SpawnWorker;
  #worker: Worker | undefined;
  #ready: PromiseWithResolvers<void> | undefined;
  #queue: Pending[] = [];
  #batch: readonly Pending[] = [];
  #busy = false;
  #stallTimer: NodeJS.Timeout | undefined;
  #stalled = false;
  #pumpPlanned = false;
  #last: Promise<void> = Promise.resolve();
  #closed: Promise<void> | undefined;

  private constructor(start: WriterStart, spawn: SpawnWorker) {
    this.#start = start;
    this.#spawn = spawn;
  }

  static async open(start: WriterStart, spawn: SpawnWorker): Promise<Writer> {
    const writer = new Writer(start, spawn);
    await writer.#begin();
    return writer;
  }

  /** True while a thread is there that takes commits. */
  get healthy(): boolean {
    return this.#worker !== undefined && !this.#stalled;
  }

  async commit(frame: Frame): Promise<CommitResult> {
    if (this.#closed !== undefined) throw failed('the store is closed', 'none');
    if (this.#stalled) throw failed('the disk does not answer; look at the disk and the kernel log', 'none');
    const { promise, resolve, reject } = Promise.withResolvers<CommitResult>();
    this.#queue.push({ frame, resolve, reject });
    // Answers come in order, so the last one is the one to wait for when closing.
    this.#last = promise.then(
      () => undefined,
      () => undefined,
    );
    this.#plan();
    return promise;
  }

  /** Resolves when what was asked for so far has been answered. */
  async drain(): Promise<void> {
    await this.#last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  /** In the check phase: what was resolved by the last answer can ask for more first. */
  #plan(): void {
    if (this.#pumpPlanned || this.#busy) return;
    this.#pumpPlanned = true;
    setImmediate(() => {
      this.#pumpPlanned = false;
      this.#pump();
    });
  }

  #pump(): void {
    if (this.#busy || this.#queue.length === 0) return;
    this.#busy = true;
    if (this.#worker !== undefined) {
      this.#send(this.#worker);
      return;
    }
    this.#begin().then(
      () => {
        this.#busy = false;
        this.#pump();
      },
      (error: unknown) => {
        this.#busy = false;
        const reason =
          error instanceof SpikeError ? error : failed('the writing thread did not start', 'none');
        for (const pending of this.#queue.splice(0)) pending.reject(reason);
      },
    );
  }

  #send(worker: Worker): void {
    let bytes = 0;
    let count = 0;
    for (const { frame } of this.#queue) {
      bytes += frame.byteLength;
      if (count > 0 && (bytes > maxBatchBytes || count >= maxBatchCommits)) break;
      count += 1;
    }
    this.#batch = this.#queue.splice(0, count);
    const frames = this.#batch.map((pending) => pending.frame);
    this.#stallTimer = setTimeout(() => this.#stall(), stallMs);
    worker.postMessage({ kind: 'commit', frames } satisfies WriterRequest, frames);
  }

  /** The thread cannot be stopped inside of a system call; its late answer is what makes us whole again. */
  #stall(): void {
    this.#stalled = true;
    this.#rejectBatch('the disk did not answer in time');
    for (const pending of this.#queue.splice(0)) pending.reject(failed('the disk does not answer', 'none'));
  }

  async #begin(): Promise<void> {
    const ready = Promise.withResolvers<void>();
    this.#ready = ready;
    const worker = this.#spawn(this.#start);
    worker.on('message', (answer: WriterAnswer) => this.#receive(worker, answer));
    // 'exit' follows; without a listener the error would end the process.
    worker.on('error', () => undefined);
    worker.on('exit', () => this.#lose(worker));
    const timer = setTimeout(() => ready.reject(failed('the writing thread did not start', 'none')), stallMs);
    try {
      await ready.promise;
    } catch (error) {
      await worker.terminate();
      throw error;
    } finally {
      clearTimeout(timer);
      this.#ready = undefined;
    }
  }

  #receive(worker: Worker, answer: WriterAnswer): void {
    switch (answer.kind) {
      case 'ready':
        // At once, so that the end of the thread is noticed as that of ours.
        this.#worker = worker;
        this.#ready?.resolve();
        return;
      case 'refused':
        this.#ready?.reject(
          isErrorCode(answer.code)
            ? new SpikeError(answer.code, answer.failure.message)
            : fromFailure(answer.failure),
        );
        return;
      case 'committed':
        this.#settle(answer.answers);
    }
  }

  #settle(answers: readonly CommitAnswer[]): void {
    clearTimeout(this.#stallTimer);
    const batch = this.#batch;
    this.#batch = [];
    this.#busy = false;
    this.#stalled = false;
    for (const [index, pending] of batch.entries()) {
      const answer = answers[index];
      if (answer === undefined) pending.reject(failed('the writing thread lost a commit', 'unknown'));
      else if ('failure' in answer) pending.reject(fromFailure(answer.failure));
      else pending.resolve(answer);
    }
    if (this.#queue.length > 0) this.#plan();
  }

  #lose(worker: Worker): void {
    this.#ready?.reject(failed('the writing thread ended while it started', 'none'));
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    clearTimeout(this.#stallTimer);
    this.#stalled = false;
    this.#rejectBatch('the writing thread ended; read again to see whether this was written');
    this.#busy = false;
    if (this.#queue.length > 0) this.#plan();
  }

  #rejectBatch(message: string): void {
    for (const pending of this.#batch) pending.reject(failed(message, 'unknown'));
    this.#batch = [];
  }

  async #close(): Promise<void> {
    await this.drain();
    const worker = this.#worker;
    if (worker === undefined) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    worker.once('exit', () => resolve());
    worker.postMessage({ kind: 'close' } satisfies WriterRequest);
    const timer = setTimeout(() => {
      // A thread that hangs in the disk ends when the disk lets it.
      void worker.terminate();
      resolve();
    }, stallMs);
    await promise;
    clearTimeout(timer);
  }
}

function failed(message: string, outcome: 'none' | 'unknown'): SpikeError {
  return new SpikeError('store_failed', message, { detail: { outcome } });
}
