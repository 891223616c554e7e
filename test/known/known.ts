import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { combine, Share } from '@spike/crypto';
import { parseShare, type RecoveryShare } from '@spike/recovery';
import { shortest } from './scanner.ts';
import { Values } from './values.ts';

/*
 * What this test process used as a secret, a password, a token, a code, a share or a key. The helpers through which a test
 * gives such a thing to a system, or gets one from it, learn it here; what systems write is searched for it (search.ts).
 */

export type Kind =
  'age identity' | 'init code' | 'password' | 'private key' | 'root key' | 'share' | 'token' | 'value';

/** Tests that write thousands of values have learnt enough from the first. */
const mostValues = 300;

const values = new Values();
const shares = new Map<number, RecoveryShare>();
let count = 0;

export const known: Pick<Values, 'below' | 'find' | 'names'> = values;

export function learn(kind: Kind, text: string): void {
  const trimmed = text.trim();
  if (trimmed.length < shortest || (kind === 'value' && ++count > mostValues)) return;
  values.text(kind, trimmed);
  if (kind === 'init code') values.text(kind, trimmed.replaceAll('-', ''));
  // What stands before its secret is the accessor, which is none.
  if (kind === 'token') values.text(kind, trimmed.split('_')[2] ?? '');
}

export function learnBytes(kind: Kind, bytes: Uint8Array): void {
  if (bytes.length < shortest || (kind === 'value' && ++count > mostValues)) return;
  values.bytes(kind, bytes);
}

/** A share; two of them are the root key where two are enough, which is what systems of tests have. */
export function learnShare(share: RecoveryShare): void {
  learnBytes('share', Uint8Array.from(share.value));
  for (const other of shares.values()) {
    if (other.id === share.id) continue;
    const two = [other, share].map(({ id, value }) => Share.take(id, Uint8Array.from(value)));
    using key = combine(two, two.length);
    key.secret.expose((bytes) => learnBytes('root key', bytes));
    for (const one of two) one[Symbol.dispose]();
  }
  shares.set(share.id, share);
}

const forms: readonly (readonly [RegExp, (text: string) => void])[] = [
  [/\bspk_[a-z2-7]{16}_[a-z2-7]{52}_[a-z2-7]{8}\b/gu, (text) => learn('token', text)],
  [/\bAGE-SECRET-KEY-[A-Z0-9-]+/gu, (text) => learn('age identity', text)],
  [/\bspike:[0-9]{1,4}:[0-9a-fA-F]{64}\b/gu, (text) => learnShare(parseShare(text))],
  [/(?<=One-time password: )\S+/gu, (text) => learn('password', text)],
  [/(?<="oneTimePassword":\s*")[^"]+/gu, (text) => learn('password', text)],
  [/-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/gu, learnPrivateKey],
];

/** Whatever has the form of something secret: in what a command printed, or in a file where it belongs. */
export function learnForms(text: string): void {
  for (const [form, take] of forms) for (const [found] of text.matchAll(form)) take(found);
}

/** All texts of it, when it is JSON, or else all lines. */
export function learnAll(kind: Kind, text: string): void {
  for (const one of leaves(parse(text) ?? text.split('\n'))) if (typeof one === 'string') learn(kind, one);
}

export function learnFile(kind: Kind, path: string): void {
  try {
    learnAll(kind, readFileSync(path, 'utf8'));
  } catch {
    // The command says what is wrong about it.
  }
}

/** Every text below it, and all bytes. */
export function leaves(value: unknown): readonly (string | Uint8Array)[] {
  if (typeof value === 'string' || value instanceof Uint8Array) return [value];
  if (typeof value !== 'object' || value === null) return [];
  return [...(value instanceof Map ? value.values() : Object.values(value))].flatMap(leaves);
}

function learnPrivateKey(pem: string): void {
  const body = pem.replace(/-----[A-Z ]+-----/gu, '').replaceAll('\n', '');
  learn('private key', body);
  // Its scalar is what another encoding of it would have in common with this one.
  const { d = '' } = createPrivateKey(pem).export({ format: 'jwk' });
  learnBytes('private key', Buffer.from(d, 'base64url'));
}

function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? value : undefined;
  } catch {
    return undefined;
  }
}
