import assert from 'node:assert/strict';
import { createHmac, hkdfSync } from 'node:crypto';
import { test } from 'node:test';

import { answerChallenge, type ApprovalChallenge } from './approval.ts';
import { encodeFields } from './encode.ts';
import { Share } from './share.ts';

const challenge: ApprovalChallenge = {
  id: 'reset-password-abcdefgh',
  kind: 'reset-password',
  target: 'alice',
  by: 'spiffe://spike.ist/spike/pilot/role/recover',
  instance: 'instance-1',
  expiresAt: '2026-05-01T12:15:00.000Z',
  nonce: Uint8Array.from({ length: 32 }, (_, index) => index),
};
const share = (id: number, byte: number): Share => Share.take(id, Buffer.alloc(32, byte));
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('an answer is HMAC-SHA-256 under HKDF-SHA-256 of the share, over everything that is asked', () => {
  const info = Buffer.concat([Buffer.from('spike/v1/approval/answer'), encodeFields('instance-1', 4, 2)]);
  const key = Buffer.from(hkdfSync('sha256', Buffer.alloc(32, 7), '', info, 32));
  const { id, kind, target, by, instance, expiresAt, nonce } = challenge;
  const text = encodeFields('spike/v1/approval', id, kind, target, by, instance, expiresAt, nonce);
  const expected = createHmac('sha256', key).update(text).digest();
  assert.equal(hex(answerChallenge(share(2, 7), 4, challenge)), hex(expected));
});

test('another share, number, generation or any other word of the challenge gives another answer', () => {
  const answers = [
    answerChallenge(share(2, 7), 4, challenge),
    answerChallenge(share(2, 8), 4, challenge),
    answerChallenge(share(3, 7), 4, challenge),
    answerChallenge(share(2, 7), 5, challenge),
    ...(['id', 'kind', 'target', 'by', 'instance', 'expiresAt'] as const).map((name) =>
      answerChallenge(share(2, 7), 4, { ...challenge, [name]: `${challenge[name]}x` }),
    ),
    answerChallenge(share(2, 7), 4, { ...challenge, nonce: Buffer.alloc(32, 1) }),
    // Not the same words with their border moved.
    answerChallenge(share(2, 7), 4, { ...challenge, kind: 'reset-passworda', target: 'lice' }),
  ].map(hex);
  assert.equal(new Set(answers).size, answers.length);
});
