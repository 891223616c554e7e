import { anyChar } from './syntax.ts';

interface Node<T> {
  /** Text between the parent and this node. */
  label: string;
  readonly values: Set<T>;
  readonly children: Map<number, Node<T>>;
}

const anyCode = anyChar.charCodeAt(0);

/**
 * Values under templates, to be found by a text that begins with them. A look-up walks down the text, so its cost
 * follows the text and what is found, and not the number of values. It takes a dot for one unit of the text: beyond
 * ASCII, where no path and no SPIFFE ID is, it may find too little.
 */
export class PrefixTree<T> {
  readonly #root: Node<T> = { label: '', values: new Set(), children: new Map() };

  add(prefix: string, value: T): void {
    let node = this.#root;
    let at = 0;
    while (at < prefix.length) {
      const child = node.children.get(prefix.charCodeAt(at));
      if (child === undefined) {
        const leaf = { label: prefix.slice(at), values: new Set<T>(), children: new Map() };
        node.children.set(prefix.charCodeAt(at), leaf);
        node = leaf;
        break;
      }
      const shared = sharedLength(child.label, prefix, at);
      node = shared === child.label.length ? child : split(node, child, shared);
      at += shared;
    }
    node.values.add(value);
  }

  remove(prefix: string, value: T): void {
    const trail: Node<T>[] = [this.#root];
    let node = this.#root;
    let at = 0;
    while (at < prefix.length) {
      const child = node.children.get(prefix.charCodeAt(at));
      if (child === undefined || !prefix.startsWith(child.label, at)) return;
      trail.push((node = child));
      at += child.label.length;
    }
    node.values.delete(value);
    prune(trail);
  }

  /** Calls for every value whose template the text begins with, until one call answers true; answers whether one did. */
  some(text: string, visit: (value: T) => boolean): boolean {
    return walk(this.#root, text, 0, visit);
  }
}

function walk<T>(from: Node<T>, text: string, start: number, visit: (value: T) => boolean): boolean {
  let node = from;
  let at = start;
  for (;;) {
    for (const value of node.values) if (visit(value)) return true;
    if (at === text.length || node.children.size === 0) return false;
    const dotted = node.children.get(anyCode);
    if (dotted !== undefined && fits(dotted.label, text, at)) {
      if (walk(dotted, text, at + dotted.label.length, visit)) return true;
    }
    const child = node.children.get(text.charCodeAt(at));
    if (child === undefined || child === dotted || !fits(child.label, text, at)) return false;
    node = child;
    at += child.label.length;
  }
}

function fits(label: string, text: string, at: number): boolean {
  if (text.length - at < label.length) return false;
  for (let index = 0; index < label.length; index += 1) {
    const wanted = label.charCodeAt(index);
    if (wanted !== anyCode && wanted !== text.charCodeAt(at + index)) return false;
  }
  return true;
}

function sharedLength(label: string, text: string, at: number): number {
  let length = 0;
  while (length < label.length && label.charCodeAt(length) === text.charCodeAt(at + length)) length += 1;
  return length;
}

function split<T>(parent: Node<T>, child: Node<T>, at: number): Node<T> {
  const middle: Node<T> = { label: child.label.slice(0, at), values: new Set(), children: new Map() };
  parent.children.set(child.label.charCodeAt(0), middle);
  child.label = child.label.slice(at);
  middle.children.set(child.label.charCodeAt(0), child);
  return middle;
}

/** Takes empty leaves away. A node with one child stays as it is: it costs a step, not correctness. */
function prune<T>(trail: Node<T>[]): void {
  for (let index = trail.length - 1; index > 0; index -= 1) {
    const node = trail[index];
    const parent = trail[index - 1];
    if (node === undefined || parent === undefined || node.values.size > 0 || node.children.size > 0) return;
    parent.children.delete(node.label.charCodeAt(0));
  }
}
