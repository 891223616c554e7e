import { anyChar, anyRun } from './template.ts';

/** Most nodes have values or children, few have both, and a walk over many policies finds all of them cold. */
class Node<T> {
  /** Text between the parent and this node. */
  label: string;
  values: Set<T> | undefined;
  children: Map<number, Node<T>> | undefined;
  /** Whether a child begins with a place that is left open. */
  open = false;

  constructor(label: string) {
    this.label = label;
  }

  child(text: string, at: number): Node<T> | undefined {
    return this.children?.get(text.charCodeAt(at));
  }

  adopt(child: Node<T>): void {
    const code = child.label.charCodeAt(0);
    this.open ||= code === anyCode || code === runCode;
    (this.children ??= new Map()).set(code, child);
  }
}

const anyCode = anyChar.charCodeAt(0);
const runCode = anyRun.charCodeAt(0);

/**
 * Values under templates, to be found by a text that begins with them. A look-up walks down the text, so its cost
 * follows the text and what is found, and not the number of values. It takes a dot for one unit of the text: beyond
 * ASCII, where no path and no SPIFFE ID is, it may find too little.
 */
export class PrefixTree<T> {
  readonly #root = new Node<T>('');

  add(prefix: string, value: T): void {
    let node = this.#root;
    let at = 0;
    while (at < prefix.length) {
      const child = node.child(prefix, at);
      if (child === undefined) {
        const leaf = new Node<T>(prefix.slice(at));
        node.adopt(leaf);
        node = leaf;
        break;
      }
      const shared = sharedLength(child.label, prefix, at);
      node = shared === child.label.length ? child : split(node, child, shared);
      at += shared;
    }
    (node.values ??= new Set()).add(value);
  }

  remove(prefix: string, value: T): void {
    const trail: Node<T>[] = [this.#root];
    let node = this.#root;
    let at = 0;
    while (at < prefix.length) {
      const child = node.child(prefix, at);
      if (child === undefined || !prefix.startsWith(child.label, at)) return;
      trail.push((node = child));
      at += child.label.length;
    }
    node.values?.delete(value);
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
    if (node.values !== undefined) for (const value of node.values) if (visit(value)) return true;
    if (at === text.length || node.children === undefined) return false;
    if (node.open) {
      // Where each of them goes on in the text is fixed by its template, so no node is looked at twice.
      if (enter(node.children.get(anyCode), text, at, visit)) return true;
      if (enter(node.children.get(runCode), text, at, visit)) return true;
    }
    const child = node.child(text, at);
    if (child === undefined) return false;
    const next = advance(child.label, text, at);
    if (next === none) return false;
    node = child;
    at = next;
  }
}

function enter<T>(
  child: Node<T> | undefined,
  text: string,
  at: number,
  visit: (value: T) => boolean,
): boolean {
  if (child === undefined) return false;
  const next = advance(child.label, text, at);
  return next !== none && walk(child, text, next, visit);
}

const none = -1;

/** Where the text goes on behind what the label takes of it. */
function advance(label: string, text: string, from: number): number {
  let at = from;
  for (let index = 0; index < label.length; index += 1) {
    const wanted = label.charCodeAt(index);
    if (wanted === runCode) {
      const end = text.indexOf('/', at);
      if (end < 0) return none;
      at = end;
      continue;
    }
    if (at === text.length || (wanted !== anyCode && wanted !== text.charCodeAt(at))) return none;
    at += 1;
  }
  return at;
}

function sharedLength(label: string, text: string, at: number): number {
  let length = 0;
  while (length < label.length && label.charCodeAt(length) === text.charCodeAt(at + length)) length += 1;
  return length;
}

function split<T>(parent: Node<T>, child: Node<T>, at: number): Node<T> {
  const middle = new Node<T>(child.label.slice(0, at));
  parent.adopt(middle);
  child.label = child.label.slice(at);
  middle.adopt(child);
  return middle;
}

/** Takes empty leaves away. A node with one child stays as it is: it costs a step, not correctness. */
function prune<T>(trail: Node<T>[]): void {
  for (let index = trail.length - 1; index > 0; index -= 1) {
    const node = trail[index];
    const parent = trail[index - 1];
    if (node === undefined || parent === undefined) return;
    if ((node.values?.size ?? 0) > 0 || (node.children?.size ?? 0) > 0) return;
    parent.children?.delete(node.label.charCodeAt(0));
  }
}
