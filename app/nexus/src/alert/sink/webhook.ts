import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { FinalError } from './queue.ts';
import { QueuedSink, type Delivery } from './queued.ts';
import { encodeItem, type OnState } from './sink.ts';

export interface WebhookOptions {
  /** HTTPS, or HTTP to loopback. */
  readonly url: URL;
  /** At least 16 bytes; the caller may wipe them. */
  readonly secret: Uint8Array;
  readonly onState: OnState;
  readonly fetch?: typeof fetch;
  readonly now?: () => number;
  readonly deadlineMs?: number;
  readonly retryMs?: number;
}

/** Of the body that is signed, its delivery and its time, so that neither can be changed and nothing be played again later. */
const signatureHeader = 'Spike-Signature';

/**
 * POSTs each item with `Spike-Signature: t=SECONDS,v1=HEX`, HEX being HMAC-SHA-256 of `SECONDS.BODY`. A receiver refuses
 * what is older than five minutes, and the `delivery` in the body tells it what it had before: retries keep it.
 */
export class WebhookSink extends QueuedSink {
  constructor(options: WebhookOptions) {
    const { secret, onState, retryMs = 1_000 } = options;
    const key = createSecretKey(secret);
    super('webhook', {
      deliver: async (delivery, signal) => await post(options, key, delivery, signal),
      onState,
      concurrency: 1,
      most: 200,
      retryMs,
      longestRetryMs: 300_000,
      // Some six hours.
      tries: 80,
    });
  }
}

async function post(
  { url, now = Date.now, fetch: send = fetch, deadlineMs = 10_000 }: WebhookOptions,
  key: KeyObject,
  { id, item }: Delivery,
  signal: AbortSignal,
): Promise<void> {
  const seconds = String(Math.floor(now() / 1000));
  const body = `{"delivery":"${id}",${encodeItem(item).slice(1)}`;
  const answer = await send(url, {
    method: 'POST',
    redirect: 'error',
    headers: { 'Content-Type': 'application/json', [signatureHeader]: sign(key, seconds, body) },
    body,
    signal: AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]),
  }).catch((error: unknown) => {
    throw new Error('the webhook cannot be reached', { cause: error });
  });
  // Nothing that it says is of interest.
  await answer.body?.cancel();
  if (answer.ok) return;
  const message = `the webhook answers with ${answer.status}`;
  const isPassing = answer.status >= 500 || answer.status === 429 || answer.status === 408;
  throw isPassing ? new Error(message) : new FinalError(message);
}

function sign(key: KeyObject, seconds: string, body: string): string {
  return `t=${seconds},v1=${createHmac('sha256', key).update(`${seconds}.${body}`).digest('hex')}`;
}
