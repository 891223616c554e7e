import { Secret } from '@spike/crypto';
import { digestShare, Share } from '@spike/crypto';
import { SpikeError } from '@spike/error';

/** Where a share comes from and belongs to, as Nexus says it; Bootstrap and a Go Nexus say nothing. */
export interface Origin {
  readonly instance: string;
  readonly generation: number;
  readonly id: number;
}

export interface Held {
  readonly value: Secret;
  readonly origin: Origin | undefined;
  /** What Nexus wants back with an active share. Nothing here looks into it. */
  readonly note?: string | undefined;
}

export interface SlotStatus {
  readonly held: boolean;
  readonly instance?: string;
  readonly generation?: number;
  readonly id?: number;
  /** Hex; tells whether it is the right share without telling anything of it. */
  readonly digest?: string;
}

/**
 * The two slots of a Keeper, in memory only. What Bootstrap contributes is *pending* and any Bootstrap may overwrite it;
 * what Nexus makes *active* has proven to belong to a bootstrapped store, and only that instance may replace it.
 */
export class Slots {
  #active: (Held & { readonly origin: Origin }) | undefined;
  #pending: Held | undefined;

  /** The share to answer: the active one, else the pending one. */
  get active(): Held | undefined {
    return this.#active;
  }

  get pending(): Held | undefined {
    return this.#pending;
  }

  /** Takes over (and wipes) the bytes. Throws `api_bad_request` when an active share is held. */
  contributeByBootstrap(value: Uint8Array): void {
    if (this.#active !== undefined) {
      value.fill(0);
      throw new SpikeError(
        'api_bad_request',
        `this Keeper holds a share of the bootstrapped instance ${this.#active.origin.instance}; ` +
          'to start anew, reset the system and restart its Keepers',
      );
    }
    this.#setPending({ value: Secret.take(value), origin: undefined });
  }

  /** Takes over (and wipes) the bytes. Throws `api_bad_request` for another instance or an older generation than the active one. */
  contributeByNexus(
    value: Uint8Array,
    origin: Origin | undefined,
    slot: 'active' | 'pending',
    note?: string,
  ): void {
    const refusal = this.#refusal(origin, slot) ?? flawOf(origin, value);
    if (refusal !== undefined) {
      value.fill(0);
      throw new SpikeError('api_bad_request', refusal);
    }
    if (slot === 'pending' || origin === undefined) {
      this.#setPending({ value: Secret.take(value), origin });
      return;
    }
    this.#active?.value.dispose();
    this.#active = { value: Secret.take(value), origin, note };
    this.#setPending(undefined);
  }

  status(): { readonly active: SlotStatus; readonly pending: SlotStatus } {
    return { active: statusOf(this.#active), pending: statusOf(this.#pending) };
  }

  dispose(): void {
    this.#active?.value.dispose();
    this.#active = undefined;
    this.#setPending(undefined);
  }

  #refusal(origin: Origin | undefined, slot: 'active' | 'pending'): string | undefined {
    const held = this.#active?.origin;
    if (origin === undefined) {
      if (slot === 'active') return 'an active share needs instance, generation and id';
      return held === undefined ? undefined : `this Keeper holds a share of instance ${held.instance}`;
    }
    if (held === undefined) return undefined;
    if (held.instance !== origin.instance)
      return `this Keeper holds a share of another instance, ${held.instance}`;
    if (origin.generation < held.generation)
      return `this Keeper holds a share of the later generation ${held.generation}`;
    return undefined;
  }

  #setPending(held: Held | undefined): void {
    this.#pending?.value.dispose();
    this.#pending = held;
  }
}

/** What keeps these bytes from being share `id`: of whatever is held with an origin a digest can be told. */
function flawOf(origin: Origin | undefined, value: Uint8Array): string | undefined {
  if (origin === undefined) return undefined;
  try {
    digestOf(origin, value);
    return undefined;
  } catch (error) {
    if (error instanceof SpikeError) return error.message;
    return 'instance and generation are not such as Nexus gives';
  }
}

function statusOf(held: Held | undefined): SlotStatus {
  if (held === undefined) return { held: false };
  const { origin } = held;
  if (origin === undefined) return { held: true };
  return { held: true, ...origin, digest: held.value.expose((bytes) => digestOf(origin, bytes)) };
}

/** Throws SpikeError for what is no share, and RangeError or TypeError for what no digest is made of. */
function digestOf({ instance, generation, id }: Origin, value: Uint8Array): string {
  using share = Share.take(id, Uint8Array.from(value));
  return Buffer.from(digestShare(instance, generation, share)).toString('hex');
}
