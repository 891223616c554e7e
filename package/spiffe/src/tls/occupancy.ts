/** What a server lets its verified peers hold at once. */
export interface OccupancyLimits {
  /** All peers together. */
  readonly maxConnections: number;
  /** One SPIFFE ID; as many as all together unless told. */
  readonly maxPerPeer?: number;
  /** Beyond `maxConnections`, for peers that are let in before others. */
  readonly reserved?: number;
}

/** `peer`: it has as many as it may. `all`: there is no place left. */
export type Crowded = 'peer' | 'all';

/** A connection that can be asked to leave. */
export interface Occupant {
  /** The SPIFFE ID of its peer. */
  readonly holder: string;
  /** Since when nothing is under way on it; `undefined` while something is. */
  readonly idleSince: number | undefined;
  leave(): void;
}

/**
 * Counts the verified connections, of each SPIFFE ID and of all. Where all places are taken, the connection that has
 * idled for longest gives way, of the same peer or of all: whoever only keeps connections open keeps nobody out, and
 * many replicas of one workload do not lock each other out. Where all are at work, a few places are left for those
 * whom the server prefers.
 */
export class Occupancy {
  readonly #limits: OccupancyLimits;
  readonly #occupants = new Set<Occupant>();
  readonly #byHolder = new Map<string, Set<Occupant>>();

  constructor(limits: OccupancyLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#occupants.size;
  }

  /** Makes room for one more connection of this peer; says what stands against it when there is none. */
  makeRoom(holder: string, preferred: boolean): Crowded | undefined {
    const { maxConnections, maxPerPeer = maxConnections, reserved = 0 } = this.#limits;
    const own = this.#byHolder.get(holder);
    if (own !== undefined && own.size >= maxPerPeer && !this.#dismissIdle(own)) return 'peer';
    if (this.size < maxConnections || this.#dismissIdle(this.#occupants)) return undefined;
    return preferred && this.size < maxConnections + reserved ? undefined : 'all';
  }

  enter(occupant: Occupant): void {
    this.#occupants.add(occupant);
    const own = this.#byHolder.get(occupant.holder);
    if (own === undefined) this.#byHolder.set(occupant.holder, new Set([occupant]));
    else own.add(occupant);
  }

  /** Its place is free; may be told more than once. */
  remove(occupant: Occupant): void {
    this.#occupants.delete(occupant);
    const own = this.#byHolder.get(occupant.holder);
    own?.delete(occupant);
    if (own?.size === 0) this.#byHolder.delete(occupant.holder);
  }

  /** Looks through all of them: only a server that is full asks, and the handshake before it costs more. */
  #dismissIdle(occupants: Iterable<Occupant>): boolean {
    let since = Infinity;
    let longest: Occupant | undefined;
    for (const occupant of occupants) {
      const { idleSince } = occupant;
      if (idleSince === undefined || idleSince >= since) continue;
      since = idleSince;
      longest = occupant;
    }
    if (longest === undefined) return false;
    this.remove(longest);
    longest.leave();
    return true;
  }
}
