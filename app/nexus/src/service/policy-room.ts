import { SpikeError } from '@spike/error';
import { labelOf, rootTenant } from '../policy/tenant.ts';

/** How many policies there may be. All of them are in memory, as long as there is a key. */
export interface PolicyLimits {
  readonly all: number;
  /** Of one tenant, so that it does not take the places of all others. */
  readonly ofTenant: number;
}

interface PolicyId {
  readonly tenant: string;
  readonly name: string;
}

/** How many there are, of one tenant or of all. */
interface Counted {
  countOf(tenant?: string): number;
}

/**
 * Places for policies that are still to be: whoever makes one has its place before the store gets it, so that many at
 * once do not pass the limit together. Those that are there already stay, however many they are.
 */
export class PolicyRoom {
  readonly #engine: Counted;
  readonly #limits: PolicyLimits;
  /** Tenants of those that are being made, by what each is called. */
  readonly #claimed = new Map<string, string>();

  constructor(engine: Counted, limits: PolicyLimits) {
    this.#engine = engine;
    this.#limits = limits;
  }

  /** Until it is disposed; by then the policy is there, or is not to be. Throws SpikeError `entity_limit_reached`. */
  claim(id: PolicyId): Disposable {
    const { all, ofTenant } = this.#limits;
    const { tenant } = id;
    if (this.#engine.countOf() + this.#claimed.size >= all)
      throw full(`there are at most ${all} policies (SPIKE_NEXUS_MAX_POLICIES)`);
    if (tenant !== rootTenant && this.#engine.countOf(tenant) + this.#claimedOf(tenant) >= ofTenant)
      throw full(`there are at most ${ofTenant} policies of one tenant (SPIKE_NEXUS_MAX_TENANT_POLICIES)`);
    const label = labelOf(id);
    this.#claimed.set(label, tenant);
    return { [Symbol.dispose]: () => void this.#claimed.delete(label) };
  }

  #claimedOf(tenant: string): number {
    return this.#claimed.values().reduce((sum, one) => (one === tenant ? sum + 1 : sum), 0);
  }
}

function full(limit: string): SpikeError {
  return new SpikeError(
    'entity_limit_reached',
    `${limit}: delete some that nobody needs, or let one say what several do`,
  );
}
