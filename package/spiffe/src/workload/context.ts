import { SpiffeError } from '../error.ts';
import { TrustDomain } from '../id/trust-domain.ts';
import type { X509Context } from '../source.ts';
import { X509Bundle } from '../x509/bundle.ts';
import { X509BundleSet } from '../x509/bundle-set.ts';
import { X509Svid } from '../x509/svid.ts';
import {
  x509BundlesResponseSchema,
  x509SvidResponseSchema,
  type X509BundlesResponse,
  type X509SvidMessage,
  type X509SvidResponse,
} from './message.ts';

const longestHintBytes = 1024;

/**
 * One message of FetchX509SVID. Throws SpiffeError when anything in it is missing or wrong, because half of an answer
 * is not the full state that a message stands for (C-7, C-8). The bytes of the keys are wiped from `bytes`.
 */
export function decodeX509Context(bytes: Uint8Array): X509Context {
  const { svids: messages, federatedBundles } = x509SvidResponseSchema.decode(bytes);
  try {
    const svids: X509Svid[] = [];
    const own = new Map<string, X509Bundle>();
    const hints = new Set<string>();
    for (const message of messages) {
      const svid = toSvid(message);
      const bundle = X509Bundle.parse(svid.id.trustDomain, message.bundle);
      if (!own.has(bundle.trustDomain.name)) own.set(bundle.trustDomain.name, bundle);
      // C-9: of several SVIDs with one hint the first counts.
      if (message.hint !== '' && hints.has(message.hint)) continue;
      hints.add(message.hint);
      svids.push(svid);
    }
    const federated = toBundles(federatedBundles).filter((bundle) => !own.has(bundle.trustDomain.name));
    return { svids, bundles: X509BundleSet.of(...own.values(), ...federated) };
  } finally {
    for (const message of messages) message.x509SvidKey.fill(0);
  }
}

/** One message of FetchX509Bundles; throws like `decodeX509Context`. */
export function decodeX509Bundles(bytes: Uint8Array): X509BundleSet {
  const { bundles } = x509BundlesResponseSchema.decode(bytes);
  if (bundles.size === 0) throw new SpiffeError('bundle_invalid', 'the message has no bundles');
  return X509BundleSet.of(...toBundles(bundles));
}

/**
 * A context as a message that is complete (W-5) and includes the bundle of each SVID's trust domain (W-8). A context
 * without SVIDs is no message but `permission_denied` (W-3).
 */
export function toX509SvidResponse(context: X509Context): X509SvidResponse {
  if (context.svids.length === 0) {
    throw new SpiffeError('permission_denied', 'there is no identity for this workload');
  }
  const hints = new Set<string>();
  const own = new Set<string>();
  const svids = context.svids.map((svid) => {
    const bundle = context.bundles.get(svid.id.trustDomain);
    if (bundle === undefined) {
      throw new SpiffeError('bundle_unknown', `there is no bundle for ${svid.id.trustDomain.toString()}`);
    }
    own.add(bundle.trustDomain.name);
    // W-9: a second SVID with a hint keeps its place and loses the hint, which would not be heeded anyway.
    const hint = hints.has(svid.hint) ? '' : svid.hint;
    hints.add(svid.hint);
    return {
      spiffeId: svid.id.toString(),
      x509Svid: Buffer.concat(svid.chain.map((certificate) => certificate.der)),
      x509SvidKey: svid.privateKey.export({ type: 'pkcs8', format: 'der' }),
      bundle: bundle.toDer(),
      hint,
    };
  });
  const federatedBundles = new Map(
    [...context.bundles]
      .filter((bundle) => !own.has(bundle.trustDomain.name))
      .map((bundle) => [bundle.trustDomain.toString(), bundle.toDer()]),
  );
  return { svids, crl: [], federatedBundles };
}

export function toX509BundlesResponse(bundles: X509BundleSet): X509BundlesResponse {
  return {
    crl: [],
    bundles: new Map([...bundles].map((bundle) => [bundle.trustDomain.toString(), bundle.toDer()])),
  };
}

export function checkHint(hint: string): void {
  if (Buffer.byteLength(hint) > longestHintBytes)
    throw new SpiffeError('svid_invalid', `a hint of the message is longer than ${longestHintBytes} bytes`);
}

function toSvid(message: X509SvidMessage): X509Svid {
  if (message.spiffeId === '')
    throw new SpiffeError('svid_invalid', 'an SVID of the message has no SPIFFE ID');
  if (message.bundle.length === 0)
    throw new SpiffeError('bundle_invalid', 'an SVID of the message has no bundle');
  checkHint(message.hint);
  const svid = X509Svid.parse(message.x509Svid, message.x509SvidKey, message.hint);
  if (svid.id.toString() !== message.spiffeId) {
    throw new SpiffeError('svid_invalid', 'an SVID of the message is of another ID than the message says');
  }
  return svid;
}

function toBundles(entries: ReadonlyMap<string, Uint8Array>): X509Bundle[] {
  return [...entries].map(([key, der]) => {
    // `TrustDomain.parse` would take the bare name too; the keys of these maps are SPIFFE IDs.
    const trustDomain = TrustDomain.parse(key);
    if (trustDomain.toString() !== key) {
      throw new SpiffeError('trust_domain_invalid', 'a bundle of the message is not filed under a SPIFFE ID');
    }
    return X509Bundle.parse(trustDomain, der);
  });
}
