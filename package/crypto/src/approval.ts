import { authenticate, derive } from './derive.ts';
import type { Share } from './share.ts';

/** What the holder of a recovery share is asked to approve: all of it is in the answer, so it is good for nothing else. */
export interface ApprovalChallenge {
  /** Names this approval; never used again. */
  readonly id: string;
  /** The action and what it is about. */
  readonly kind: string;
  readonly target: string;
  /** Who asked for it. */
  readonly by: string;
  readonly instance: string;
  /** As it is shown; RFC 3339. */
  readonly expiresAt: string;
  /** 32 random bytes. */
  readonly nonce: Uint8Array;
}

const label = 'spike/v1/approval';

/**
 * Says with a recovery share that its holder approves: HMAC-SHA-256 under a key that HKDF makes of the share (admin.md
 * H1). The share stays where it is, and the answer tells nothing of it. 32 bytes.
 */
export function answerChallenge(share: Share, generation: number, challenge: ApprovalChallenge): Uint8Array {
  const { id, kind, target, by, instance, expiresAt, nonce } = challenge;
  using key = derive('approval/answer', share.value, instance, generation, share.id);
  return authenticate(key, label, id, kind, target, by, instance, expiresAt, nonce);
}
