import { SpiffeError } from '../error.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import { JwtBundle, JwtBundleSet } from '../jwt/bundle.ts';
import { JwtSvid } from '../jwt/svid.ts';
import type { JsonObject } from '../json.ts';
import { strictText } from '../text.ts';
import { checkHint } from './context.ts';
import {
  jwtBundlesResponseSchema,
  jwtSvidResponseSchema,
  validateJwtSvidResponseSchema,
  type JwtBundlesResponse,
  type JwtSvidResponse,
} from './message.ts';

/** What one asks for: tokens for an audience, of one ID or of all that one is entitled to. */
export interface JwtSvidQuery {
  readonly audience: readonly string[];
  readonly id?: SpiffeId | undefined;
}

/** The word of a Workload API that a token is good. */
export interface ValidatedToken {
  readonly id: SpiffeId;
  readonly claims: JsonObject;
}

/** Throws SpiffeError `invalid_argument`: what would be refused by the Workload API does not get there (W-6). */
export function checkAudience(audience: readonly string[]): void {
  if (audience.length === 0 || audience.includes(''))
    throw new SpiffeError('invalid_argument', 'a JWT-SVID is asked for with an audience, none of them empty');
}

/**
 * One answer of FetchJWTSVID. Throws SpiffeError when any token in it is not what was asked for: of another ID than the
 * message or the query says, without an audience that was asked for, or expired (C-7, C-8).
 */
export function decodeJwtSvids(bytes: Uint8Array, query: JwtSvidQuery): readonly JwtSvid[] {
  const { svids: messages } = jwtSvidResponseSchema.decode(bytes);
  if (messages.length === 0) throw new SpiffeError('protocol_invalid', 'the answer has no JWT-SVIDs');
  const hints = new Set<string>();
  const svids: JwtSvid[] = [];
  for (const { spiffeId, svid: token, hint } of messages) {
    checkHint(hint);
    const svid = JwtSvid.parse(token, hint);
    const isWanted = query.id === undefined || svid.id.equals(query.id);
    if (svid.id.toString() !== spiffeId || !isWanted)
      throw new SpiffeError('token_invalid', 'a JWT-SVID of the answer is of another ID than it should be');
    if (!query.audience.every((one) => svid.audience.includes(one)))
      throw new SpiffeError(
        'token_invalid',
        'a JWT-SVID of the answer is not for the audience that was asked for',
      );
    if (svid.notAfter.getTime() <= Date.now())
      throw new SpiffeError('token_invalid', 'a JWT-SVID of the answer has expired already');
    // C-9: of several SVIDs with one hint the first counts.
    if (hint !== '' && hints.has(hint)) continue;
    hints.add(hint);
    svids.push(svid);
  }
  return svids;
}

/** The other direction; without any it is `permission_denied` (W-3), and no two have the same hint (W-9). */
export function toJwtSvidResponse(svids: readonly JwtSvid[]): JwtSvidResponse {
  if (svids.length === 0)
    throw new SpiffeError('permission_denied', 'there is no such identity for this workload');
  const hints = new Set<string>();
  return {
    svids: svids.map((svid) => {
      const hint = hints.has(svid.hint) ? '' : svid.hint;
      hints.add(svid.hint);
      return { spiffeId: svid.id.toString(), svid: svid.token, hint };
    }),
  };
}

/** One message of FetchJWTBundles; throws SpiffeError when any part of it is wrong (C-7). */
export function decodeJwtBundles(bytes: Uint8Array): JwtBundleSet {
  const { bundles } = jwtBundlesResponseSchema.decode(bytes);
  if (bundles.size === 0) throw new SpiffeError('bundle_invalid', 'the message has no bundles');
  return JwtBundleSet.of(
    ...[...bundles].map(([key, json]) => {
      const trustDomain = TrustDomain.parse(key);
      if (trustDomain.toString() !== key)
        throw new SpiffeError(
          'trust_domain_invalid',
          'a bundle of the message is not filed under a SPIFFE ID',
        );
      return JwtBundle.parse(trustDomain, readText(json));
    }),
  );
}

export function toJwtBundlesResponse(bundles: JwtBundleSet): JwtBundlesResponse {
  return {
    bundles: new Map(
      [...bundles].map((bundle) => [bundle.trustDomain.toString(), Buffer.from(bundle.marshal(), 'utf8')]),
    ),
  };
}

export function decodeValidated(bytes: Uint8Array): ValidatedToken {
  const { spiffeId, claims } = validateJwtSvidResponseSchema.decode(bytes);
  return { id: SpiffeId.parse(spiffeId), claims };
}

function readText(bytes: Uint8Array): string {
  try {
    return strictText.decode(bytes);
  } catch (error) {
    throw new SpiffeError('bundle_invalid', 'a bundle of the message is not UTF-8', { cause: error });
  }
}
