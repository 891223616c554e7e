import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { SpiffeError } from '../error.ts';
import type { SpiffeId } from '../id/spiffe-id.ts';
import { readAs } from './bundle.ts';
import { Certificate } from './certificate.ts';
import { readLeaf } from './leaf.ts';
import { readPem, toPem } from './pem.ts';

/** Certificates in a chain, leaf included: more than any deployment nests. */
export const longestChain = 16;

/**
 * An identity of our own: a leaf with its intermediates and the private key of the leaf. The leaf obeys the rules
 * of an X.509-SVID and the key is its own; whether anybody believes the chain is for the peer to decide.
 */
export class X509Svid {
  readonly id: SpiffeId;
  /** The leaf first, then intermediates; without the root as a rule. */
  readonly chain: readonly Certificate[];
  readonly leaf: Certificate;
  readonly privateKey: KeyObject;
  /** An operator's word that tells several identities of one workload apart; empty when there is none. */
  readonly hint: string;

  private constructor(
    id: SpiffeId,
    leaf: Certificate,
    chain: readonly Certificate[],
    key: KeyObject,
    hint: string,
  ) {
    this.id = id;
    this.leaf = leaf;
    this.chain = chain;
    this.privateKey = key;
    this.hint = hint;
  }

  /** Throws SpiffeError `svid_invalid`, or `key_invalid` when the key is not that of the leaf. */
  static of(chain: readonly Certificate[], privateKey: KeyObject, hint = ''): X509Svid {
    const leaf = chain[0];
    if (leaf === undefined) throw new SpiffeError('svid_invalid', 'the chain is empty');
    if (chain.length > longestChain) {
      throw new SpiffeError('svid_invalid', `the chain is longer than ${longestChain} certificates`);
    }
    const id = readLeaf(leaf);
    if (privateKey.type !== 'private' || !createPublicKey(privateKey).equals(leaf.publicKey)) {
      throw new SpiffeError('key_invalid', 'the private key does not belong to the certificate');
    }
    return new X509Svid(id, leaf, chain, privateKey, hint);
  }

  /** Reads concatenated DER, leaf first, and an unencrypted PKCS #8 key: the forms of the Workload API. */
  static parse(chainDer: Uint8Array, pkcs8Der: Uint8Array, hint = ''): X509Svid {
    const chain = readAs('svid_invalid', () => Certificate.parseAll(chainDer, longestChain));
    return X509Svid.of(chain, readPrivateKey(pkcs8Der), hint);
  }

  /** Reads CERTIFICATE blocks, leaf first, and one PRIVATE KEY block, from one text or two. */
  static parsePem(chainPem: string, keyPem: string, hint = ''): X509Svid {
    const [chain, keys] = readAs('svid_invalid', () => [
      readPem(chainPem, longestChain + 1).filter((block) => block.label === 'CERTIFICATE'),
      readPem(keyPem, longestChain + 1).filter((block) => block.label === 'PRIVATE KEY'),
    ]);
    const [key] = keys;
    if (key === undefined || keys.length !== 1)
      throw new SpiffeError('key_invalid', 'there is not one private key');
    return X509Svid.parse(Buffer.concat(chain.map((block) => block.der)), key.der, hint);
  }

  get notBefore(): Date {
    return this.leaf.notBefore;
  }

  /** The last second of the leaf; an intermediate of the chain may end earlier. */
  get notAfter(): Date {
    return this.leaf.notAfter;
  }

  /** The chain as concatenated DER, leaf first. */
  toChainDer(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.chain.map((certificate) => certificate.der)));
  }

  /** The private key as PKCS #8 DER: key material, for the Workload API and for nobody else. */
  toKeyDer(): Uint8Array {
    return new Uint8Array(this.privateKey.export({ type: 'pkcs8', format: 'der' }));
  }

  /** What `tls.createSecureContext` takes. The key leaves its KeyObject as text that cannot be wiped. */
  toPem(): { readonly cert: string; readonly key: string } {
    const cert = this.chain.map((certificate) => toPem('CERTIFICATE', certificate.der)).join('');
    return { cert, key: this.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
  }

  /** The same chain under the same hint, and so the same key. */
  equals(other: X509Svid): boolean {
    return (
      this.hint === other.hint &&
      this.chain.length === other.chain.length &&
      this.chain.every((certificate, i) => other.chain[i]?.equals(certificate) === true)
    );
  }
}

/** The cause is left out on purpose: an error about a private key says nothing about its bytes. */
export function readPrivateKey(pkcs8Der: Uint8Array): KeyObject {
  try {
    return createPrivateKey({ key: Buffer.from(pkcs8Der), format: 'der', type: 'pkcs8' });
  } catch {
    throw new SpiffeError('key_invalid', 'the private key is not an unencrypted PKCS #8 key');
  }
}
