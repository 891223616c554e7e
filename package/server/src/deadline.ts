import { SpikeError } from '@spike/error';
import type { Exchange } from './exchange.ts';

/** The signal of one request. It costs nothing until somebody asks for it, and most requests are answered before. */
export class Deadline implements Disposable {
  readonly #until: number;
  readonly #exchange: Exchange;
  #controller: AbortController | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, exchange: Exchange) {
    this.#until = performance.now() + ms;
    this.#exchange = exchange;
  }

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    this.#timer = setTimeout(
      () => controller.abort(new SpikeError('net_timeout', 'the request took too long')),
      Math.max(0, this.#until - performance.now()),
    ).unref();
    this.#exchange.onGone(() => controller.abort(new SpikeError('net_peer_connection', 'the caller left')));
    return controller.signal;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
