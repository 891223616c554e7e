import type { Loggable } from './loggable.ts';

class Secret {
  readonly #bytes = new Uint8Array(1);
  get length(): number {
    return this.#bytes.length;
  }
}

export const fine: Loggable = { path: 'a', list: [1, true, null], at: new Date(0) };
// @ts-expect-error bytes are not loggable
export const bytes: Loggable = new Uint8Array(1);
// @ts-expect-error a class instance is not loggable, so no secret type is
export const secret: Loggable = new Secret();
// @ts-expect-error nor nested
export const nested: Loggable = { value: [new Secret()] };
// @ts-expect-error errors go through describeError
export const error: Loggable = new Error('x');
