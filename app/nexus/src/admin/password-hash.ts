import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { Secret } from '@spike/crypto';

/** How a hash was made: kept beside it, so that the cost can be raised (admin.md B2). */
export interface HashCost {
  /** KiB. */
  readonly memory: number;
  readonly passes: number;
  readonly lanes: number;
}

export interface PasswordHash extends HashCost {
  readonly salt: Uint8Array;
  readonly tag: Uint8Array;
}

/** RFC 9106 section 4, second recommendation: 64 MiB, 3 passes, 4 lanes, 16 bytes of salt, 32 of tag. */
export const defaultCost: HashCost = { memory: 65_536, passes: 3, lanes: 4 };
const saltBytes = 16;
const tagBytes = 32;

/** Argon2id itself, which tests count. */
export type Argon2 = (password: Uint8Array, salt: Uint8Array, cost: HashCost) => Promise<Uint8Array>;

const derive = promisify(argon2);

/** RFC 9106, in the thread pool of Node. */
export const argon2id: Argon2 = async (message, nonce, { memory, passes, lanes }) =>
  await derive('argon2id', { message, nonce, memory, passes, parallelism: lanes, tagLength: tagBytes });

export function newSalt(): Uint8Array {
  return Uint8Array.from(randomBytes(saltBytes));
}

/** The password in the one form that goes into a hash, in memory that can be wiped. It has to be normalised before. */
export function toSecret(password: string): Secret {
  return Secret.take(new TextEncoder().encode(password));
}

export function sameTag(tag: Uint8Array, hash: PasswordHash): boolean {
  return tag.length === hash.tag.length && timingSafeEqual(tag, hash.tag);
}

/** Whether anything of it is below today's. */
export function isAged(hash: HashCost, today: HashCost): boolean {
  return hash.memory < today.memory || hash.passes < today.passes || hash.lanes < today.lanes;
}
