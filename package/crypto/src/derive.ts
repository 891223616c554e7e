import { createHmac, hkdfSync } from 'node:crypto';

import { encodeFields, type Field } from './encode.ts';
import { Secret } from './secret.ts';

/**
 * Every purpose that a key is derived for, once, with the context that goes into it. `root` purposes come from the
 * root key alone and are bound to instance and keyring epoch; `share` purposes come from the recovery share that somebody
 * holds; the others come from a random key of the keyring.
 */
export const purposeTable = {
  'keyring/wrap': { from: 'root', context: ['instance', 'keyring epoch'] },
  'keyring/commit': { from: 'root', context: ['instance', 'keyring epoch'] },
  'manifest/seal': { from: 'root', context: ['instance', 'keyring epoch'] },
  'manifest/mac': { from: 'root', context: ['instance', 'keyring epoch'] },
  'list/cursor': { from: 'index', context: ['instance'] },
  'table/digest': { from: 'anchor', context: ['instance'] },
  'anchor/mac': { from: 'anchor', context: ['instance'] },
  'backup/mac': { from: 'anchor', context: ['instance'] },
  'cipher/message': { from: 'cipher', context: ['instance', 'number', 'nonce'] },
  'access/mac': { from: 'token', context: ['instance'] },
  'approval/answer': { from: 'share', context: ['instance', 'generation', 'id'] },
} as const satisfies Record<string, PurposeRow>;

interface PurposeRow {
  readonly from: 'root' | 'index' | 'anchor' | 'cipher' | 'token' | 'share';
  readonly context: readonly string[];
}

export type Purpose = keyof typeof purposeTable;

type Fields<Names extends readonly string[]> = { [K in keyof Names]: Field };

/** HKDF-SHA-256 (RFC 5869), empty salt, info `spike/v1/<purpose>` and then the length-prefixed context; 32 bytes. */
export function derive<P extends Purpose>(
  purpose: P,
  key: Secret,
  ...context: Fields<(typeof purposeTable)[P]['context']>
): Secret {
  // A purpose is ASCII text and a field starts with a byte below 4, so no label runs into a context.
  const info = Buffer.concat([Buffer.from(`spike/v1/${purpose}`, 'ascii'), encodeFields(...context)]);
  return key.expose((bytes) => Secret.take(new Uint8Array(hkdfSync('sha256', bytes, '', info, 32))));
}

/**
 * 32 bytes that commit to a root key: stored in the clear beside what is sealed under it, and compared before anything
 * is opened, since XAES-256-GCM alone lets one ciphertext open under two keys.
 */
export function commitKey(rootKey: Secret, instance: string, keyringEpoch: number): Uint8Array {
  using commitment = derive('keyring/commit', rootKey, instance, keyringEpoch);
  return commitment.expose((bytes) => Uint8Array.from(bytes));
}

/** HMAC-SHA-256 over an injective encoding of the fields. */
export function authenticate(key: Secret, ...fields: readonly Field[]): Uint8Array {
  return key.expose((bytes) =>
    createHmac('sha256', bytes)
      .update(encodeFields(...fields))
      .digest(),
  );
}
