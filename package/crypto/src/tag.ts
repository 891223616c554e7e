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
 * thus one prefix. Parents are remembered (those that were not used for long go first), so that a look-up costs one HMAC
 * at most, and so are whole paths, apart from them, so that a walk over many secrets does not drive out their parents.
 */
export class Tagger implements Disposable {
  #key: KeyObject | undefined;
  readonly #parents: Memory;
  readonly #paths: Memory;

  /** `most`: how many parents, and how many paths, are remembered. */
  constructor(key: Secret, most = 4096) {
    this.#key = key.expose((bytes) => createSecretKey(bytes));
    this.#parents = new Memory(most);
    this.#paths = new Memory(most);
  }

  /** Throws SpikeError `data_invalid_input` for more than 32 segments, for none, and for an empty one or one with a NUL. */
  path(label: string, segments: readonly string[]): Uint8Array {
    const name = nameOf(label, segments, segments.length);
    let tags = this.#paths.get(name);
    // A NUL within a segment would make a name of a deeper path; what is remembered was judged when it was made.
    if (tags?.length !== (segments.length + 1) * tagBytes) {
      checkSegments(segments);
      tags = this.#child(label, segments, segments.length);
      this.#paths.set(name, tags);
    }
    // A copy: what is given out may be changed.
    return tags.slice(tagBytes);
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
    const name = nameOf(label, segments, depth);
    const known = this.#parents.get(name);
    if (known !== undefined) return known;
    const tags = depth === 0 ? this.#hmac(Buffer.from(label, 'utf8')) : this.#child(label, segments, depth);
    this.#parents.set(name, tags);
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

/**
 * Remembers the newest so many, and those of the older ones that are asked for. Two halves instead of one list in the
 * order of use, because a list would be changed at each look-up.
 */
class Memory {
  readonly #half: number;
  #young = new Map<string, Uint8Array>();
  #old = new Map<string, Uint8Array>();

  constructor(most: number) {
    this.#half = Math.ceil(most / 2);
  }

  get(name: string): Uint8Array | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const old = this.#old.get(name);
    if (old !== undefined) this.set(name, old);
    return old;
  }

  set(name: string, tags: Uint8Array): void {
    if (this.#young.size >= this.#half) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    if (this.#half > 0) this.#young.set(name, tags);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}

/** No segment holds a NUL, so no two paths share a name. */
function nameOf(label: string, segments: readonly string[], depth: number): string {
  if (depth === 0) return label;
  return `${label}\0${(depth === segments.length ? segments : segments.slice(0, depth)).join('\0')}`;
}

function checkSegments(segments: readonly string[]): void {
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
}
