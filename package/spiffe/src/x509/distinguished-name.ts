import { DerReader, derTag, refuse, toAscii, toOid, type DerElement } from './der-reader.ts';
import { oid } from './oid.ts';

interface Attribute {
  readonly type: string;
  readonly value: DerElement;
}

/**
 * An X.501 name. Chains are built on the exact bytes of names (as Go and OpenSSL's canonical form nearly do);
 * only directory name constraints need the comparison by RFC 5280 7.1.
 */
export class DistinguishedName {
  readonly der: Uint8Array;
  readonly #sets: readonly (readonly Attribute[])[];

  private constructor(der: Uint8Array, sets: readonly (readonly Attribute[])[]) {
    this.der = der;
    this.#sets = sets;
  }

  static read(parent: DerReader, what: string): DistinguishedName {
    const element = parent.take(derTag.sequence, what);
    const names = parent.into(element);
    const sets: Attribute[][] = [];
    while (!names.done) {
      const set = names.enter(derTag.set, `a part of ${what}`);
      const attributes: Attribute[] = [];
      while (!set.done) {
        const attribute = set.enter(derTag.sequence, `an attribute of ${what}`);
        const type = toOid(attribute.take(derTag.oid, `the type of an attribute of ${what}`));
        attributes.push({ type, value: attribute.next() });
        attribute.end(`an attribute of ${what}`);
      }
      if (attributes.length === 0) refuse(`${what} has an empty part`);
      sets.push(attributes);
    }
    return new DistinguishedName(element.raw, sets);
  }

  get isEmpty(): boolean {
    return this.#sets.length === 0;
  }

  equals(other: DistinguishedName): boolean {
    return Buffer.compare(this.der, other.der) === 0;
  }

  /** Mailboxes in the name itself, which constraints on mailboxes cover too (RFC 5280 4.2.1.10). */
  get emails(): readonly string[] {
    return this.#sets.flatMap((set) =>
      set.filter((attribute) => attribute.type === oid.emailAddress).map((a) => toAscii(a.value.content)),
    );
  }

  /** True when this name lies in the subtree of `base`: its first parts are those of `base`, in order. */
  isWithin(base: DistinguishedName): boolean {
    if (this.#sets.length < base.#sets.length) return false;
    return base.#sets.every((set, i) => {
      const own = (this.#sets[i] ?? []).map(comparable).sort();
      const wanted = set.map(comparable).sort();
      return own.length === wanted.length && own.every((text, j) => text === wanted[j]);
    });
  }
}

/** RFC 5280 7.1: texts are compared without regard to case, to white space around them, and to their string type. */
function comparable(attribute: Attribute): string {
  const { tag, content } = attribute.value;
  const text = toText(tag, content);
  if (text === undefined) return `${attribute.type}=#${tag}:${Buffer.from(content).toString('hex')}`;
  return `${attribute.type}=${text.normalize('NFKC').toLowerCase().trim().replace(/\s+/gu, ' ')}`;
}

function toText(tag: number, content: Uint8Array): string | undefined {
  switch (tag) {
    case derTag.utf8String:
      return Buffer.from(content).toString('utf8');
    case derTag.printableString:
    case derTag.ia5String:
    case 0x14: // TeletexString, which everybody fills with Latin-1
      return Buffer.from(content).toString('latin1');
    case 0x1e: // BMPString
      return content.length % 2 === 0 ? Buffer.from(content).swap16().toString('utf16le') : undefined;
    default:
      return undefined;
  }
}
