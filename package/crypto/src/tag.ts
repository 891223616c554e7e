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
 * thus one prefix. Parents are remembered (least recently used go first), so that a look-up costs one HMAC at most, and
 * so are whole paths, apart from them, so that a walk over many secrets does not drive out their parents.
 */
export class Tagger implements Disposable {
  #key: KeyObject | undefined;
  readonly #most: number;
  readonly #parents = new Map<string, Uint8Array>();
  readonly #paths = new Map<string, Uint8Array>();

  /** `most`: how many parents, and how many paths, are remembered. */
  constructor(key: Secret, most = 4096) {
    this.#key = key.expose((bytes) => createSecretKey(bytes));
    this.#most = most;
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
    // A copy: what is given out may be changed.
    return this.#remembered(this.#paths, label, segments, segments.length).slice(tagBytes);
  }

  /** tag 0 ‖ … ‖ tag `depth` */
  #child(label: string, segments: readonly string[], depth: number): Uint8Array {
    const parent = this.#remembered(this.#parents, label, segments, depth - 1);
    const out = new Uint8Array(parent.length + tagBytes);
    out.set(parent);
    const above = parent.subarray(parent.length - tagBytes);
    out.set(this.#hmac(above, separator, Buffer.from(segments[depth - 1] ?? '', 'utf8')), parent.length);
    return out;
  }

  #remembered(
    memory: Map<string, Uint8Array>,
    label: string,
    segments: readonly string[],
    depth: number,
  ): Uint8Array {
    if (this.#key === undefined) throw new TypeError('this key has been wiped');
    // No segment holds a NUL, so no two paths share a name.
    const name = depth === 0 ? label : `${label}\0${segments.slice(0, depth).join('\0')}`;
    let tags = memory.get(name);
    if (tags === undefined) {
      tags = depth === 0 ? this.#hmac(Buffer.from(label, 'utf8')) : this.#child(label, segments, depth);
    } else {
      memory.delete(name);
    }
    memory.set(name, tags);
    for (const oldest of memory.keys()) {
      if (memory.size <= this.#most) break;
      memory.delete(oldest);
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
    this.#paths.clear();
  }
}
