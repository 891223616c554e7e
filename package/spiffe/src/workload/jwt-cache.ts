import type { SpiffeId } from '../id/spiffe-id.ts';
import type { JwtSvid } from '../jwt/svid.ts';
import type { JwtSvidQuery } from './jwt-context.ts';

/** Tokens that are kept at the same time; the one that was stored first gives way. */
const mostTokens = 1000;
/** A token that is past its half already when it comes is not asked for again in this time. */
const leastCalmMs = 1000;

interface Kept {
  readonly svid: JwtSvid;
  readonly renewAt: number;
}

/** The tokens of one source, each under the ID and the set of audiences that it was asked for. */
export class JwtCache {
  readonly #kept = new Map<string, Kept>();

  /** The same audiences in another order are the same question. */
  keyOf({ audience, id }: JwtSvidQuery): string {
    return JSON.stringify([id?.toString() ?? '', ...[...new Set(audience)].toSorted()]);
  }

  /** A token in its first half: later ones are to be renewed. */
  fresh(key: string, now: number): JwtSvid | undefined {
    const kept = this.#kept.get(key);
    return kept !== undefined && now < kept.renewAt ? this.valid(key, now) : undefined;
  }

  valid(key: string, now: number): JwtSvid | undefined {
    const kept = this.#kept.get(key);
    if (kept === undefined) return undefined;
    if (now < kept.svid.notAfter.getTime()) return kept.svid;
    this.#kept.delete(key);
    return undefined;
  }

  keep(key: string, svid: JwtSvid, now: number): void {
    const end = svid.notAfter.getTime();
    const begin = Math.min(svid.issuedAt?.getTime() ?? now, now);
    const calmUntil = now + Math.min(leastCalmMs, (end - now) / 2);
    this.#kept.delete(key);
    this.#kept.set(key, { svid, renewAt: Math.max(begin + (end - begin) / 2, calmUntil) });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > mostTokens && oldest !== undefined) this.#kept.delete(oldest);
  }

  forget(key: string): void {
    this.#kept.delete(key);
  }

  /** Forgets the tokens of every other ID. */
  retain(ids: readonly SpiffeId[]): void {
    for (const [key, { svid }] of this.#kept)
      if (!ids.some((id) => id.equals(svid.id))) this.#kept.delete(key);
  }

  clear(): void {
    this.#kept.clear();
  }
}
