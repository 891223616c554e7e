import { grants, type Action } from './permission.ts';
import type { Pattern } from './pattern.ts';
import type { Policy, PolicyRecord } from './policy.ts';
import { PrefixTree } from './prefix-tree.ts';
import { isReserved } from './reserved.ts';
import { anyChar } from './syntax.ts';

export interface Decision {
  readonly allowed: boolean;
  /** Name of a policy that allows it; there may be others. */
  readonly policy?: string;
}

/** All policies with one SPIFFE ID pattern. */
interface Group {
  readonly spiffe: Pattern;
  readonly policies: Set<Policy>;
  readonly paths: PrefixTree<Policy>;
}

/** Most peers whose matching groups are remembered between two changes. */
const maxPeers = 4096;
/** From so many groups on, one walk over all paths is cheaper than one in each group. */
const manyGroups = 8;

const denied: Decision = { allowed: false };

/**
 * Answers whether some single policy allows a peer an action on a path; there is no order, no union and no denial
 * (wire.md 5). Policies lie under the literal beginnings of both their patterns, so that a decision asks only those
 * that could match. A change is one synchronous step: each decision sees all of it or nothing.
 */
export class PolicyEngine {
  readonly #byName = new Map<string, Policy>();
  readonly #groupBySource = new Map<string, Group>();
  readonly #groups = new PrefixTree<Group>();
  readonly #paths = new PrefixTree<Policy>();
  readonly #peers = new Map<string, ReadonlySet<Group>>();

  get size(): number {
    return this.#byName.size;
  }

  get(tenant: string, name: string): PolicyRecord | undefined {
    return this.#byName.get(toId(tenant, name))?.record;
  }

  /** All policies, by name. */
  list(): readonly PolicyRecord[] {
    return [...this.#byName.values()]
      .map((policy) => policy.record)
      .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  /** Adds the policy, in place of the one with its name. */
  put(policy: Policy): void {
    this.remove(policy.record.tenant, policy.record.name);
    this.#byName.set(toId(policy.record.tenant, policy.record.name), policy);
    const group = this.#groupOf(policy);
    group.policies.add(policy);
    for (const prefix of policy.path.prefixes) {
      group.paths.add(prefix, policy);
      this.#paths.add(prefix, policy);
    }
  }

  remove(tenant: string, name: string): boolean {
    const id = toId(tenant, name);
    const policy = this.#byName.get(id);
    if (policy === undefined) return false;
    this.#byName.delete(id);
    const group = this.#groupBySource.get(policy.spiffe.source);
    if (group === undefined) return true;
    for (const prefix of policy.path.prefixes) {
      group.paths.remove(prefix, policy);
      this.#paths.remove(prefix, policy);
    }
    group.policies.delete(policy);
    if (group.policies.size === 0) {
      this.#groupBySource.delete(group.spiffe.source);
      for (const prefix of group.spiffe.prefixes) this.#groups.remove(prefix, group);
      this.#peers.clear();
    }
    return true;
  }

  decide(peerId: string, action: Action, path: string): Decision {
    const groups = this.#matchingGroups(peerId);
    if (groups.size === 0) return denied;
    const reserved = isReserved(path);
    let found: Policy | undefined;
    const allows = (policy: Policy): boolean => {
      if (!grants(policy.mask, action) || (reserved && !policy.anchored)) return false;
      if (!policy.path.matches(path)) return false;
      found = policy;
      return true;
    };
    if (groups.size < manyGroups) {
      for (const group of groups) if (group.paths.some(path, allows)) break;
    } else {
      this.#paths.some(path, (policy) => {
        const group = this.#groupBySource.get(policy.spiffe.source);
        return group !== undefined && groups.has(group) && allows(policy);
      });
    }
    return found === undefined ? denied : { allowed: true, policy: found.record.name };
  }

  /** Does any policy give this peer the action anywhere? */
  givesAnywhere(peerId: string, action: Action): boolean {
    for (const group of this.#matchingGroups(peerId)) {
      for (const policy of group.policies) if (grants(policy.mask, action)) return true;
    }
    return false;
  }

  /**
   * Directories, as segments, below which (or at which) every path lies that this peer may do this on; `[]` is the
   * root. None lies below another. They only bound a search: `decide` is still asked for each path.
   */
  directories(peerId: string, action: Action): readonly (readonly string[])[] {
    const found = new Set<string>();
    for (const group of this.#matchingGroups(peerId)) {
      for (const { mask, path } of group.policies) {
        if (!grants(mask, action)) continue;
        if (path.exact !== undefined) found.add(path.exact);
        else for (const prefix of path.prefixes) found.add(directoryOf(prefix));
      }
    }
    if (found.has('')) return [[]];
    const outermost: (readonly string[])[] = [];
    for (const directory of found) {
      const segments = directory.split('/');
      // No path has an empty segment, or more than 32.
      if (segments.length > 32 || segments.includes('') || hasAncestor(directory, found)) continue;
      outermost.push(segments);
    }
    return outermost;
  }

  #groupOf(policy: Policy): Group {
    const known = this.#groupBySource.get(policy.spiffe.source);
    if (known !== undefined) return known;
    const group: Group = { spiffe: policy.spiffe, policies: new Set(), paths: new PrefixTree() };
    this.#groupBySource.set(policy.spiffe.source, group);
    for (const prefix of policy.spiffe.prefixes) this.#groups.add(prefix, group);
    this.#peers.clear();
    return group;
  }

  #matchingGroups(peerId: string): ReadonlySet<Group> {
    const known = this.#peers.get(peerId);
    if (known !== undefined) return known;
    const groups = new Set<Group>();
    this.#groups.some(peerId, (group) => {
      if (group.spiffe.matches(peerId)) groups.add(group);
      return false;
    });
    if (this.#peers.size >= maxPeers) {
      for (const oldest of this.#peers.keys()) {
        this.#peers.delete(oldest);
        break;
      }
    }
    this.#peers.set(peerId, groups);
    return groups;
  }
}

function toId(tenant: string, name: string): string {
  return `${tenant}/${name}`;
}

function directoryOf(template: string): string {
  const dot = template.indexOf(anyChar);
  const literal = dot < 0 ? template : template.slice(0, dot);
  return literal.slice(0, Math.max(0, literal.lastIndexOf('/')));
}

function hasAncestor(directory: string, others: ReadonlySet<string>): boolean {
  for (let at = directory.lastIndexOf('/'); at > 0; at = directory.lastIndexOf('/', at - 1)) {
    if (others.has(directory.slice(0, at))) return true;
  }
  return false;
}
