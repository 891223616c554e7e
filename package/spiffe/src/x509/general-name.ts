import { DerReader, refuse, toAscii } from './der-reader.ts';
import { DistinguishedName } from './distinguished-name.ts';

/**
 * One GeneralName (RFC 5280 4.2.1.6). In a name constraint an `ip` is an address and its mask; forms that this
 * package cannot compare are `other` and keep their tag, so that a constraint on them can refuse.
 */
export type GeneralName =
  | { readonly kind: 'email' | 'dns' | 'uri'; readonly text: string }
  | { readonly kind: 'ip'; readonly bytes: Uint8Array }
  | { readonly kind: 'directory'; readonly name: DistinguishedName }
  | { readonly kind: 'other'; readonly form: number };

const textForm: Readonly<Record<number, 'email' | 'dns' | 'uri'>> = {
  0x81: 'email',
  0x82: 'dns',
  0x86: 'uri',
};

/** Context tags of otherName, x400Address, ediPartyName and registeredID. */
const otherForm = new Set([0xa0, 0xa3, 0xa5, 0x88]);

export function readGeneralName(parent: DerReader): GeneralName {
  const element = parent.next();
  const kind = textForm[element.tag];
  if (kind !== undefined) return { kind, text: toAscii(element.content) };
  if (element.tag === 0x87) return { kind: 'ip', bytes: element.content };
  if (element.tag === 0xa4) {
    const explicit = parent.into(element);
    const name = DistinguishedName.read(explicit, 'a directory name');
    explicit.end('a directory name');
    return { kind: 'directory', name };
  }
  if (otherForm.has(element.tag)) return { kind: 'other', form: element.tag };
  return refuse('a name is of a form that does not exist');
}
