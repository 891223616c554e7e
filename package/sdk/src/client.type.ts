import { SecretPath, toValueMap, type NexusTable } from '@spike/contract';
import type { Client } from './client.ts';
import type { Secret } from './secret-value.ts';

/* What must not compile. Checked by tsc; nothing here runs. */

declare const client: Client<NexusTable>;
declare const secret: Secret;

const path = SecretPath.parse('a');

export async function check(): Promise<void> {
  await client.putSecret({ path, values: toValueMap({}) });
  // @ts-expect-error: a path is parsed first
  await client.putSecret({ path: 'a', values: toValueMap({}) });
  // @ts-expect-error: all fields of a request
  await client.putSecret({ path });
  // @ts-expect-error: no others
  await client.getSecret({ path, version: 0, force: true });
  // @ts-expect-error: a route that there is
  await client.burnSecret({ path });
  const { hash } = await client.verifyBootstrap({ nonce: new Uint8Array(12), ciphertext: new Uint8Array() });
  hash.toUpperCase();
  // @ts-expect-error: a secret is no text
  const text: string = secret.field('a');
  text.trim();
}
