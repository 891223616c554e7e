import type { CommitResult } from '../store.ts';
import type { Failure } from './error.ts';
import type { Frame } from './frame.ts';

/** What the writer's Worker is started with. */
export interface WriterStart {
  readonly path: string;
  readonly maxBytes?: number;
}

/** What the main thread asks of the writer. */
export type WriterRequest =
  { readonly kind: 'commit'; readonly frames: readonly Frame[] } | { readonly kind: 'close' };

export type CommitAnswer = CommitResult | { readonly failure: Failure };

/** What the writer answers: `ready` or `refused` once, then one `committed` for each commit request, in order. */
export type WriterAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'refused'; readonly code?: string; readonly failure: Failure }
  | { readonly kind: 'committed'; readonly answers: readonly CommitAnswer[] };
