import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

import { SpikeError } from '@spike/error';

import type { Secret } from './secret.ts';

export const tagBytes = 16;
/** The deepest path. */
export const mostSegments = 32;

const separator = Uint8Array.of(0);

/**
 * Turns paths into row keys that tell nothing of them: one tag of 16 bytes for each segment, tag i = HMAC(key, tag i-1 ‖
 * 0x00 ‖ segment i) cut to 16 bytes, where tag 0 comes from the table's label and is not part of the key. A subtree is
 * thus one prefix. Parents are remembered (least recently used go first), so that a look-up costs one HMAC.
 */
export class Tagger implements Disposable {
  #key: KeyObject | undefined;
  readonly #most: number;
  readonly #parents = new Map<string, Uint8Array>();

  /** `parents`: how many are remembered. */
  constructor(key: Secret, parents = 4096) {
    this.#key = key.expose((bytes) => createSecretKey(bytes));
    this.#most = parents;
  }

  /** Throws SpikeError `data_invalid_input` for more than 32 segments, for none, and for an empty one or one with a NUL. */
  path(label: string, segments: readonly string[]): Uint8Array {
    if (segments.length < 1 || segments.length > mostSegments) {
      throw new SpikeError('data_invalid_input', `a path has 1 to ${mostSegments} segments`);
    }
    for (const segment of segments) {
      if (segment === '' || segment.includes('\0') || !segment.isWellFormed()) {
        throw new SpikeError(
          'data_invalid_input',
          'a segment is not empty, holds no NUL and is well-formed text',
        );
      }
    }
    return this.#child(label, segments, segments.length).subarray(tagBytes);
  }

  /** tag 0 ‖ … ‖ tag `depth` */
  #child(label: string, segments: readonly string[], depth: number): Uint8Array {
    const parent = this.#parent(label, segments, depth - 1);
    const out = new Uint8Array(parent.length + tagBytes);
    out.set(parent);
    const above = parent.subarray(parent.length - tagBytes);
    out.set(this.#hmac(above, separator, Buffer.from(segments[depth - 1] ?? '', 'utf8')), parent.length);
    return out;
  }

  #parent(label: string, segments: readonly string[], depth: number): Uint8Array {
    // No segment holds a NUL, so no two parents share a name.
    const name = [label, ...segments.slice(0, depth)].join('\0');
    let tags = this.#parents.get(name);
    if (tags === undefined) {
      tags = depth === 0 ? this.#hmac(Buffer.from(label, 'utf8')) : this.#child(label, segments, depth);
    } else {
      this.#parents.delete(name);
    }
    this.#parents.set(name, tags);
    for (const oldest of this.#parents.keys()) {
      if (this.#parents.size <= this.#most) break;
      this.#parents.delete(oldest);
    }
    return tags;
  }

  #hmac(...parts: readonly Uint8Array[]): Uint8Array {
    if (this.#key === undefined) throw new TypeError('this key has been wiped');
    const hmac = createHmac('sha256', this.#key);
    for (const part of parts) hmac.update(part);
    return hmac.digest().subarray(0, tagBytes);
  }

  [Symbol.dispose](): void {
    this.#key = undefined;
    this.#parents.clear();
  }
}
