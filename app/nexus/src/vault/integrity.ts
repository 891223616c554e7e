import { SpikeError, type ErrorDetail } from '@spike/error';

/** The error for everything that the store gave and that is not what we put there. */
export function broken(message: string, options: { detail?: ErrorDetail; cause?: unknown } = {}): SpikeError {
  return new SpikeError('store_integrity', message, options);
}

/** Runs a parser or an opening over what came from the store; what it refuses is `store_integrity`. */
export function trusted<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof SpikeError)) throw cause;
    if (cause.code === 'store_integrity') throw cause;
    throw broken(`${what} is damaged or not of this store: ${cause.message}`, { cause });
  }
}
