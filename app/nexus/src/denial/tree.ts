import type { SpiffeId } from '@spike/spiffe';
import type { Subject } from './subject.ts';

/** What lies at one path of a trust domain. */
class Node<Value> {
  readonly children = new Map<string, Node<Value>>();
  /** Of the ID with this path. */
  one: Value | undefined;
  /** Of all IDs below it. */
  below: Value | undefined;

  get isEmpty(): boolean {
    return this.children.size === 0 && this.one === undefined && this.below === undefined;
  }
}

/**
 * Values of subjects, found by an ID that they cover. A look-up walks down the ID once, as far as there is something, so
 * that its cost follows the ID and not the number of subjects.
 */
export class SubjectTree<Value> {
  readonly #roots = new Map<string, Node<Value>>();

  get isEmpty(): boolean {
    return this.#roots.size === 0;
  }

  /** A value of undefined takes the subject away. */
  set({ id, isPrefix }: Subject, value: Value | undefined): void {
    const names = [id.trustDomain.name, ...id.path.split('/').slice(1)];
    const trail: Node<Value>[] = [];
    let children = this.#roots;
    for (const name of names) {
      const node = children.get(name) ?? new Node<Value>();
      children.set(name, node);
      trail.push(node);
      children = node.children;
    }
    const last = trail.at(-1);
    if (last !== undefined) last[isPrefix ? 'below' : 'one'] = value;
    if (value === undefined) this.#prune(names, trail);
  }

  /** The first value that covers this ID and that is wanted, from the top. */
  find(id: SpiffeId, isWanted: (value: Value) => boolean): Value | undefined {
    let node = this.#roots.get(id.trustDomain.name);
    const { path } = id;
    let at = 0;
    while (node !== undefined && at < path.length) {
      if (node.below !== undefined && isWanted(node.below)) return node.below;
      const slash = path.indexOf('/', at + 1);
      const end = slash === -1 ? path.length : slash;
      node = node.children.get(path.slice(at + 1, end));
      at = end;
    }
    const found = node?.one;
    return found !== undefined && isWanted(found) ? found : undefined;
  }

  #prune(names: readonly string[], trail: readonly Node<Value>[]): void {
    for (let depth = trail.length - 1; depth >= 0; depth--) {
      if (trail[depth]?.isEmpty !== true) return;
      const siblings = depth === 0 ? this.#roots : trail[depth - 1]?.children;
      siblings?.delete(names[depth] ?? '');
    }
  }
}
