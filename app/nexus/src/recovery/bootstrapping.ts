import type { RootKey } from '@spike/crypto';
import { answerProof, type BootstrapProof } from './ceremony.ts';
import { Lease, type LeaseGrant } from './lease.ts';

/** The Bootstrap ceremony as Nexus sees it: who holds its lease, and the key that it made, as long as that lease runs. */
export class Bootstrapping implements Disposable {
  readonly #lease: Lease;
  readonly #leaseTtlMs: number;
  /** So that a Bootstrap which lost our answer can ask again. */
  #key: RootKey | undefined;

  constructor(leaseTtlMs: number) {
    this.#lease = new Lease(leaseTtlMs);
    this.#leaseTtlMs = leaseTtlMs;
  }

  /** Throws `bootstrap_lease_held` while another runs. */
  begin(shown: string | undefined): LeaseGrant {
    return this.#lease.begin(shown);
  }

  /** The instance id for whoever shows the lease that runs; undefined when none runs. Throws `bootstrap_lease_held`. */
  admit(shown: string | undefined): string | undefined {
    return this.#lease.admit(shown);
  }

  /** The answer once more, for a proof of the key that was made; undefined for any other. */
  answerAgain(proof: BootstrapProof): string | undefined {
    if (this.#key === undefined || this.#lease.instance === undefined) return undefined;
    return answerProof(this.#key, proof);
  }

  /** Takes the key over that was made under the lease. */
  keep(rootKey: RootKey): void {
    this.#key = rootKey;
    setTimeout(() => this[Symbol.dispose](), this.#leaseTtlMs).unref();
  }

  [Symbol.dispose](): void {
    this.#key?.[Symbol.dispose]();
    this.#key = undefined;
  }
}
