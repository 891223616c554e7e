import { SpiffeError } from '../error.ts';
import { SpiffeId } from '../id/spiffe-id.ts';
import type { Certificate } from './certificate.ts';
import { oid } from './oid.ts';

/**
 * The rules of X509-SVID 4 and 5.2 for a leaf, which hold before any signature is looked at, and the SPIFFE ID that
 * it names. Absent basicConstraints mean cA=false (RFC 5280 4.2.1.9) and absent keyUsage restricts nothing; both are
 * accepted here though never issued. Throws SpiffeError `svid_invalid`.
 */
export function readLeaf(leaf: Certificate): SpiffeId {
  const { uris } = leaf;
  if (uris.length !== 1) refuseLeaf(`it has ${uris.length} URI names, where an X.509-SVID has exactly one`);
  const id = readId(uris[0] ?? '');
  if (id.path === '')
    refuseLeaf('its SPIFFE ID has no path, which is for trust domains and not for workloads');
  if (leaf.subject.isEmpty && leaf.subjectAltName?.critical !== true) {
    refuseLeaf('its subject is empty and its alternative name is not critical');
  }
  if (leaf.basicConstraints?.ca === true) refuseLeaf('it is an authority (cA=true)');
  const usages = leaf.keyUsage?.usages;
  if (usages !== undefined) {
    if (usages.has('keyCertSign')) refuseLeaf('it may sign certificates (keyCertSign)');
    if (usages.has('cRLSign')) refuseLeaf('it may sign revocation lists (cRLSign)');
    if (!usages.has('digitalSignature')) refuseLeaf('it may not sign (no digitalSignature)');
  }
  const purposes = leaf.extKeyUsage?.purposes;
  if (purposes !== undefined && !(purposes.has(oid.serverAuth) && purposes.has(oid.clientAuth))) {
    refuseLeaf('its extended key usage is not for both server and client');
  }
  if (leaf.keyFamily === undefined) refuseLeaf('its key is of a kind or size that is not accepted');
  if (leaf.unknownCritical.length > 0) {
    refuseLeaf(`it has a critical extension that is not understood (${leaf.unknownCritical[0]})`);
  }
  return id;
}

function readId(uri: string): SpiffeId {
  try {
    return SpiffeId.parse(uri);
  } catch (error) {
    const why = error instanceof SpiffeError ? error.message : 'its URI is not a SPIFFE ID';
    throw new SpiffeError('svid_invalid', `the leaf is not an X.509-SVID: ${why}`, { cause: error });
  }
}

function refuseLeaf(why: string): never {
  throw new SpiffeError('svid_invalid', `the leaf is not an X.509-SVID: ${why}`);
}
