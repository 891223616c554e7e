import type { SpiffeId } from '../id/spiffe-id.ts';
import { readToken } from './token.ts';

/**
 * An identity of our own, as a token to show to one audience: whoever has the token is believed. It obeys the rules of
 * a JWT-SVID; whether anybody believes it is for its audience to decide. No printing or encoding of it shows the token.
 */
export class JwtSvid {
  readonly id: SpiffeId;
  readonly audience: readonly string[];
  readonly issuedAt: Date | undefined;
  readonly notAfter: Date;
  /** An operator's word that tells several identities of one workload apart; empty when there is none. */
  readonly hint: string;
  readonly #token: string;

  private constructor(token: string, hint: string) {
    const { id, audience, issuedAt, expiresAt } = readToken(token);
    this.id = id;
    this.audience = audience;
    this.issuedAt = issuedAt === undefined ? undefined : new Date(issuedAt);
    this.notAfter = new Date(expiresAt);
    this.hint = hint;
    this.#token = token;
  }

  /** Throws SpiffeError `token_invalid`. */
  static parse(token: string, hint = ''): JwtSvid {
    return new JwtSvid(token, hint);
  }

  /** Key material as long as it lives: for the `Authorization: Bearer` header of a connection that is encrypted. */
  get token(): string {
    return this.#token;
  }

  toJSON(): unknown {
    return { id: this.id, audience: this.audience, notAfter: this.notAfter, hint: this.hint };
  }
}
