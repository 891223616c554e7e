import { startThread } from '@spike/asset';
import type { VerifyReport } from '../store.ts';
import { fromFailure, type Failure } from './error.ts';
import { threadEnvironment } from './thread.ts';

export interface VerifyStart {
  readonly path: string;
}

export type VerifyAnswer = { readonly problems: readonly string[] } | { readonly failure: Failure };

/**
 * SQLite's full check in a thread and on a connection of its own: neither reads nor commits wait for it. When the
 * signal fires this rejects at once; the thread ends with the table that it is at.
 */
export async function verifyFile(path: string, signal: AbortSignal): Promise<VerifyReport> {
  signal.throwIfAborted();
  const started = performance.now();
  const worker = startThread(new URL('./verify-worker.ts', import.meta.url), {
    workerData: { path } satisfies VerifyStart,
    name: 'store-verify',
    env: threadEnvironment(),
  });
  const { promise, resolve, reject } = Promise.withResolvers<VerifyAnswer>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  worker.on('message', resolve);
  worker.on('error', reject);
  worker.on('exit', () => reject(fromFailure({ message: 'the check ended early', outcome: 'none' })));
  try {
    const answer = await promise;
    if ('failure' in answer) throw fromFailure(answer.failure);
    const { problems } = answer;
    return { ok: problems.length === 0, problems, durationMs: performance.now() - started };
  } finally {
    signal.removeEventListener('abort', abort);
    void worker.terminate();
  }
}
