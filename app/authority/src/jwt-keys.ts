import { join } from 'node:path';
import { readPrivateFile, writePrivateFile } from '@spike/config';
import { SpikeError } from '@spike/error';
import {
  JwtAuthority,
  SpiffeBundle,
  type JwtSigningKey,
  type TrustDomain,
  type X509Bundle,
} from '@spike/spiffe';
import { z } from 'zod';

const maxFileBytes = 262_144;
const fileVersion = 1;
const refreshHintSec = 300;
/** Long enough that everybody has asked for the bundle many times before its next key signs. */
const rotateEveryMs = 86_400_000;

const fileSchema = z.strictObject({
  version: z.literal(fileVersion),
  /** Of the bundle: the second in which the keys were made, and one more with each change. */
  sequence: z.int().min(1),
  keys: z.array(
    z.strictObject({
      privateKeyPem: z.string(),
      activatedAt: z.iso.datetime().optional(),
      retiredAt: z.iso.datetime().optional(),
    }),
  ),
});

/** The keys that sign tokens, in a 0600 file of the state, and the bundle that is published with them. */
export class JwtKeys {
  readonly authority: JwtAuthority;
  readonly #path: string;
  readonly #x509: X509Bundle;
  #sequence: number;

  private constructor(path: string, x509: X509Bundle, authority: JwtAuthority, sequence: number) {
    this.#path = path;
    this.#x509 = x509;
    this.authority = authority;
    this.#sequence = sequence;
  }

  /** Makes the keys at the first start. Throws `config_invalid` when the file is damaged. */
  static async open(directory: string, x509: X509Bundle): Promise<JwtKeys> {
    const path = join(directory, 'jwt.json');
    const bytes = await readPrivateFile(path, maxFileBytes);
    if (bytes === undefined) {
      // Not 1: where a file was there before, others know its bundle and refuse one that is older.
      const sequence = Math.floor(Date.now() / 1000);
      const keys = new JwtKeys(path, x509, JwtAuthority.create(x509.trustDomain), sequence);
      await keys.#write();
      return keys;
    }
    const text = bytes.toString('utf8');
    bytes.fill(0);
    const { authority, sequence } = readFile(path, text, x509.trustDomain);
    return new JwtKeys(path, x509, authority, sequence);
  }

  /** The whole bundle of this trust domain. */
  get bundle(): SpiffeBundle {
    return new SpiffeBundle(this.#x509.trustDomain, {
      x509Authorities: this.#x509.authorities,
      jwtAuthorities: this.authority.bundle().authorities,
      sequence: BigInt(this.#sequence),
      refreshHintSec,
    });
  }

  /** True when the key that signs was old, and another one signs now. Resolves when that would survive a crash. */
  async rotateWhenDue(now = new Date()): Promise<boolean> {
    if (now.getTime() - this.authority.activatedAt.getTime() < rotateEveryMs) return false;
    this.authority.rotate(now);
    this.#sequence += 1;
    await this.#write();
    return true;
  }

  async #write(): Promise<void> {
    const keys = this.authority.export().map((key) => ({
      privateKeyPem: key.privateKeyPem,
      ...(key.activatedAt === undefined ? {} : { activatedAt: key.activatedAt.toISOString() }),
      ...(key.retiredAt === undefined ? {} : { retiredAt: key.retiredAt.toISOString() }),
    }));
    const file = { version: fileVersion, sequence: this.#sequence, keys };
    await writePrivateFile(this.#path, `${JSON.stringify(file)}\n`);
  }
}

/** The cause is left out: what a parser says of this text may repeat a part of a key. */
function readFile(
  path: string,
  text: string,
  trustDomain: TrustDomain,
): { readonly authority: JwtAuthority; readonly sequence: number } {
  try {
    const { keys, sequence } = fileSchema.parse(JSON.parse(text));
    return { authority: JwtAuthority.load(trustDomain, keys.map(toSigningKey)), sequence };
  } catch {
    throw new SpikeError(
      'config_invalid',
      `${path} is damaged, or of another release; move it away, and new keys sign tokens from then on`,
    );
  }
}

function toSigningKey(key: z.output<typeof fileSchema>['keys'][number]): JwtSigningKey {
  return {
    privateKeyPem: key.privateKeyPem,
    ...(key.activatedAt === undefined ? {} : { activatedAt: new Date(key.activatedAt) }),
    ...(key.retiredAt === undefined ? {} : { retiredAt: new Date(key.retiredAt) }),
  };
}
