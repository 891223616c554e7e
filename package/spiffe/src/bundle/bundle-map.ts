import { TrustDomain } from '../id/trust-domain.ts';
import { parseJsonObject, refuse, toObject } from '../json.ts';
import { SpiffeBundle } from './spiffe-bundle.ts';

/**
 * Reads a map of bundles by the name of their trust domain, each on its own (B-9). A name that occurs twice is
 * refused (B-8), and so is a map that has none of them; refresh hints inside are not for use and left out. Throws
 * SpiffeError `bundle_invalid`.
 */
export function parseBundleMap(text: string): ReadonlyMap<string, SpiffeBundle> {
  const document = parseJsonObject(text);
  if (document['trust_domains'] === undefined) refuse('the map has no trust domains');
  const bundles = new Map<string, SpiffeBundle>();
  for (const [name, value] of Object.entries(
    toObject(document['trust_domains'], 'the map of trust domains'),
  )) {
    const { spiffe_refresh_hint: _, ...bundle } = toObject(value, 'a bundle of the map');
    bundles.set(name, SpiffeBundle.fromJson(readName(name), bundle));
  }
  return bundles;
}

/** The other direction. Refresh hints stay behind. */
export function marshalBundleMap(bundles: Iterable<SpiffeBundle>): string {
  const members = new Map<string, string>();
  for (const bundle of bundles) {
    const { trustDomain, x509Authorities, jwtAuthorities, sequence } = bundle;
    if (members.has(trustDomain.name)) refuse('two bundles are of the same trust domain');
    const inner = new SpiffeBundle(trustDomain, {
      x509Authorities,
      jwtAuthorities,
      ...(sequence === undefined ? {} : { sequence }),
    });
    members.set(trustDomain.name, `${JSON.stringify(trustDomain.name)}:${inner.marshal()}`);
  }
  return `{"trust_domains":{${[...members.values()].join(',')}}}`;
}

function readName(name: string): TrustDomain {
  if (name.includes(':')) refuse('the key of a bundle is not the name of a trust domain');
  try {
    return TrustDomain.parse(name);
  } catch (error) {
    return refuse('the key of a bundle is not the name of a trust domain', error);
  }
}
