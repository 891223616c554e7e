import { grants, type Action } from './permission.ts';
import type { Pattern } from './pattern.ts';
import type { Policy, PolicyRecord } from './policy.ts';
import { PrefixTree } from './prefix-tree.ts';
import { Programs } from './program.ts';
import { isReserved } from './reserved.ts';
import { literalStart } from './template.ts';
import { isWithinTenant, labelOf, rootTenant, withinTenant } from './tenant.ts';

export interface Decision {
  readonly allowed: boolean;
  /** Name of a policy that allows it, behind its tenant where it has one; there may be others. */
  readonly policy?: string;
}

/** All policies with one SPIFFE ID pattern. */
interface Group {
  readonly spiffe: Pattern;
  readonly policies: Set<Policy>;
  readonly paths: PrefixTree<Policy>;
}

/** Half of the peers whose matching groups are remembered between two changes. */
const halfOfPeers = 2048;
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
  readonly #countByTenant = new Map<string, number>();
  readonly #groupBySource = new Map<string, Group>();
  readonly #groups = new PrefixTree<Group>();
  readonly #paths = new PrefixTree<Policy>();
  /** Two halves instead of one map: looking for the oldest in a map passes all that were taken out before. */
  #youngPeers = new Map<string, ReadonlySet<Group>>();
  #oldPeers = new Map<string, ReadonlySet<Group>>();
  readonly #programs = new Programs();

  get size(): number {
    return this.#byName.size;
  }

  /** How many there are, or how many of one tenant. */
  countOf(tenant?: string): number {
    return tenant === undefined ? this.#byName.size : (this.#countByTenant.get(tenant) ?? 0);
  }

  get(tenant: string, name: string): PolicyRecord | undefined {
    return this.#byName.get(labelOf({ tenant, name }))?.record;
  }

  /** All policies, or those of one tenant, by name and tenant. */
  list(tenant?: string): readonly PolicyRecord[] {
    return [...this.#byName.values()]
      .map((policy) => policy.record)
      .filter((record) => tenant === undefined || record.tenant === tenant)
      .toSorted((a, b) => compare(a.name, b.name) || compare(a.tenant, b.tenant));
  }

  /** Adds the policy, in place of the one with its name. */
  put(policy: Policy): void {
    this.remove(policy.record.tenant, policy.record.name);
    this.#byName.set(labelOf(policy.record), policy);
    this.#count(policy.record.tenant, 1);
    const group = this.#groupOf(policy);
    group.policies.add(policy);
    for (const prefix of policy.path.prefixes) {
      group.paths.add(prefix, policy);
      this.#paths.add(prefix, policy);
    }
  }

  remove(tenant: string, name: string): boolean {
    const id = labelOf({ tenant, name });
    const policy = this.#byName.get(id);
    if (policy === undefined) return false;
    this.#byName.delete(id);
    this.#count(tenant, -1);
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
      this.#forgetPeers();
    }
    return true;
  }

  #count(tenant: string, more: number): void {
    const count = this.countOf(tenant) + more;
    if (count === 0) this.#countByTenant.delete(tenant);
    else this.#countByTenant.set(tenant, count);
  }

  decide(peerId: string, action: Action, path: string): Decision {
    const groups = this.#matchingGroups(peerId);
    if (groups.size === 0) return denied;
    const reserved = isReserved(path);
    let found: Policy | undefined;
    const allows = (policy: Policy): boolean => {
      if (!grants(policy.mask, action) || (reserved && !policy.anchored)) return false;
      if (!isWithinTenant(path, policy.record.tenant)) return false;
      if (!policy.path.matches(path, this.#programs)) return false;
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
    return found === undefined ? denied : { allowed: true, policy: labelOf(found.record) };
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
      for (const { mask, path, record } of group.policies) {
        if (!grants(mask, action)) continue;
        const places = path.exact === undefined ? path.prefixes.map(directoryOf) : [path.exact];
        for (const place of places) {
          const directory = clip(place, record.tenant);
          if (directory !== undefined) found.add(directory);
        }
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
    this.#forgetPeers();
    return group;
  }

  #matchingGroups(peerId: string): ReadonlySet<Group> {
    const young = this.#youngPeers.get(peerId);
    if (young !== undefined) return young;
    const groups = this.#oldPeers.get(peerId) ?? this.#findGroups(peerId);
    if (this.#youngPeers.size >= halfOfPeers) {
      this.#oldPeers = this.#youngPeers;
      this.#youngPeers = new Map();
    }
    this.#youngPeers.set(peerId, groups);
    return groups;
  }

  #findGroups(peerId: string): ReadonlySet<Group> {
    const groups = new Set<Group>();
    this.#groups.some(peerId, (group) => {
      if (group.spiffe.matches(peerId, this.#programs)) groups.add(group);
      return false;
    });
    return groups;
  }

  #forgetPeers(): void {
    this.#youngPeers.clear();
    this.#oldPeers.clear();
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The part of a directory that a tenant's policy counts for; undefined for none. */
function clip(directory: string, tenant: string): string | undefined {
  if (tenant === rootTenant) return directory;
  return withinTenant(directory === '' ? [] : directory.split('/'), tenant.split('/'))?.join('/');
}

function directoryOf(template: string): string {
  const literal = literalStart(template);
  return literal.slice(0, Math.max(0, literal.lastIndexOf('/')));
}

function hasAncestor(directory: string, others: ReadonlySet<string>): boolean {
  for (let at = directory.lastIndexOf('/'); at > 0; at = directory.lastIndexOf('/', at - 1)) {
    if (others.has(directory.slice(0, at))) return true;
  }
  return false;
}
