import { getAsset } from 'node:sea';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import { assetProtocol } from './asset.ts';

/**
 * Starts a thread from its module, which lies beside the code or inside of the executable. Nothing else makes a
 * Worker: one that did would not be found by the build.
 */
export function startThread(url: URL, options: WorkerOptions): Worker {
  if (url.protocol !== assetProtocol) return new Worker(url, options);
  return new Worker(getAsset(url.pathname, 'utf8'), { ...options, eval: true });
}
