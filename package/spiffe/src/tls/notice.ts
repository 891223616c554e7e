import type { FittedIdentity } from './material.ts';
import type { ServerOptions } from './server-option.ts';

/** Tells what there was no room for in a handshake, and says nothing twice. */
export class Notice {
  readonly #options: Pick<ServerOptions, 'onOmitted' | 'onUnfiltered'>;
  #omitted = '';
  #isUnfiltered = false;

  constructor(options: Pick<ServerOptions, 'onOmitted' | 'onUnfiltered'>) {
    this.#options = options;
  }

  tell({ omitted, listed, bundles }: FittedIdentity): void {
    const names = omitted.map(({ name }) => name).join(' ');
    if (names !== this.#omitted) {
      this.#omitted = names;
      this.#options.onOmitted?.(omitted);
    }
    const isUnfiltered = listed !== bundles;
    if (isUnfiltered === this.#isUnfiltered) return;
    this.#isUnfiltered = isUnfiltered;
    this.#options.onUnfiltered?.(isUnfiltered);
  }
}
