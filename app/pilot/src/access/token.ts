import type { Invocation } from '../invocation.ts';
import { readToken } from './token-file.ts';

/** The token that goes along with each call. */
export interface HeldToken {
  current: string | undefined;
  /** Whose it is, as far as we know. */
  administrator: string | undefined;
  /** A person can be asked for another one: nobody gave it on purpose. */
  readonly isKept: boolean;
}

/** From standard input, then from SPIKE_TOKEN, then from the file, where it is for this Nexus. Throws SpikeError `fs_unsafe`. */
export async function findToken(invocation: Invocation, url: string): Promise<HeldToken> {
  const given = invocation.givenToken ?? invocation.env['SPIKE_TOKEN'];
  if (given !== undefined && given !== '') return { current: given, administrator: undefined, isKept: false };
  const kept = await readToken(invocation.env);
  // What another Nexus knows of us is no matter of this one: neither the token nor the name.
  const ours = kept?.url === url ? kept : undefined;
  return { current: ours?.token, administrator: ours?.administrator, isKept: true };
}
