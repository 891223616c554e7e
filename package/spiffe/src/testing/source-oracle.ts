import type { IdentityState } from '../source.ts';

/** What the Workload API has to say: nothing for us, a refusal, or an SVID and trust domains by their numbers. */
export type Answer =
  | { readonly kind: 'denied' }
  | { readonly kind: 'absent'; readonly bundles: number }
  | { readonly kind: 'ours'; readonly svid: number; readonly bundles: number };

type Identity = Extract<Answer, { kind: 'ours' }>;

/**
 * The state table of an identity, in as few words as there are: `held` by the newest answer, `withdrawn` by the
 * newest answer, `unreachable` where an answer that gave one was the newest.
 */
export class SourceOracle {
  answer: Answer;
  isUp = true;
  state: IdentityState = 'held';
  identity: Identity | undefined;
  /** What the listeners of the source have to be told by now. */
  readonly told: string[] = [];

  constructor(answer: Identity) {
    this.answer = answer;
    this.identity = answer;
  }

  /** The Workload API says this from now on. */
  say(answer: Answer): void {
    this.answer = answer;
    if (this.isUp) this.#hear();
  }

  lose(): void {
    if (this.state !== 'held') return;
    this.state = 'unreachable';
    this.told.push('unreachable');
  }

  fall(): void {
    this.isUp = false;
    this.lose();
  }

  rise(): void {
    this.isUp = true;
    this.#hear();
  }

  /** The connection breaks, and the next one brings whatever there is to say. */
  reconnect(): void {
    this.lose();
    this.#hear();
  }

  #hear(): void {
    const { answer, state, identity } = this;
    if (answer.kind !== 'ours') {
      if (state === 'withdrawn') return;
      this.state = 'withdrawn';
      this.identity = undefined;
      this.told.push(`withdrawn ${answer.kind === 'denied' ? 'permission_denied' : 'absent'}`);
      return;
    }
    this.state = 'held';
    this.identity = answer;
    if (state === 'unreachable') this.told.push('reachable');
    const svidChanged = identity?.svid !== answer.svid;
    const bundlesChanged = identity?.bundles !== answer.bundles;
    if (state === 'held' && !svidChanged && !bundlesChanged) return;
    this.told.push(`updated ${svidChanged ? 'svid' : ''} ${bundlesChanged ? 'bundles' : ''}`);
  }
}
