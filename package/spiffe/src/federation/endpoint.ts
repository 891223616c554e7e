import { SpiffeError } from '../error.ts';
import type { SpiffeId } from '../id/spiffe-id.ts';
import type { TrustDomain } from '../id/trust-domain.ts';
import type { X509Bundle } from '../x509/bundle.ts';

/**
 * How the server of a bundle proves that it is the right one (Federation 5.2): by the web's certificates and its host
 * name, or as the holder of one SPIFFE ID.
 */
export type EndpointProfile =
  | {
      readonly kind: 'https_web';
      /** PEM; those that the machine trusts unless told otherwise. */
      readonly authorities?: string;
    }
  | {
      readonly kind: 'https_spiffe';
      readonly id: SpiffeId;
      /** What is known of the trust domain of `id`, asked anew for each connection; undefined refuses it. */
      readonly authorities: () => X509Bundle | undefined;
    };

/** A bundle endpoint. All of it is the operator's word, and none of it is taken from what a server says. */
export interface BundleEndpoint {
  readonly trustDomain: TrustDomain;
  readonly url: string;
  readonly profile: EndpointProfile;
}

/** Throws SpiffeError `endpoint_invalid` for what is not https, or names a user (Federation 5.2.1.1, 5.2.2.1). */
export function parseEndpointUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base);
  if (url === null) throw refuse('it is not a URL');
  if (url.protocol !== 'https:') throw refuse('it does not begin with https://');
  // An empty name before the @ leaves no trace in what was parsed.
  const names = /^(?:https:)?[\\/]{2}[^\\/?#]*@/i.test(text.trim());
  if (url.username !== '' || url.password !== '' || names) throw refuse('it names a user');
  return url;
}

function refuse(why: string): SpiffeError {
  return new SpiffeError('endpoint_invalid', `this is not the URL of a bundle endpoint: ${why}`);
}
