import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { rolePaths } from '@spike/contract';
import { readShareFiles, type RecoveryShare } from '@spike/recovery';
import { initialize, newPassword, startGuarded, withFile } from './admin.ts';
import { openCaller } from './caller.ts';
import { answerOf, approvalOf, parse } from './emergency.ts';
import type { Outcome, System } from './system.ts';

/* What is left when a password is lost: the holders of recovery shares, who keep them. */

let system: System;
let password = '';
let shares: readonly RecoveryShare[] = [];

before(async () => {
  // The launcher's own export comes before there is an administrator.
  system = await startGuarded();
  await system.mustSpike(['authority', 'entry', 'create', '--spiffe-id', rolePaths.recover]);
});
after(async () => {
  await system[Symbol.asyncDispose]();
});

const recovery = (): string => join(system.home.root, 'recover');
const shareText = ({ id, value }: RecoveryShare): string =>
  `spike:${id}:${Buffer.from(value).toString('hex')}`;

function shareOf(id: number): RecoveryShare {
  const found = shares.find((share) => share.id === id);
  assert(found !== undefined);
  return found;
}

test('recovery is no way round the second layer: shares come out when a super_admin opens it, once', async () => {
  await system.mustSpike(['operator', 'recover']);
  await rm(recovery(), { recursive: true });
  password = await initialize(system);
  const refused = await system.spike(['operator', 'recover']);
  assert.equal(refused.code, 11, refused.stderr);
  const spiffeId = `spiffe://${(await system.context()).trustDomain}${rolePaths.recover}`;
  assert.ok(refused.stderr.includes(`spike approve recover --for ${spiffeId}`));
  const open = ['approve', 'recover', '--for', spiffeId];
  assert.equal((await system.spike(open, { env: { SPIKE_TOKEN: 'spk_none' } })).code, 8);
  await system.mustSpike(['approve', 'recover', '--for', `${spiffeId}/somebody/else`]);
  assert.equal((await system.spike(['operator', 'recover'])).code, 11, 'that is another ID');
  assert.equal((await system.spike(['approve', 'recover', '--for', `${spiffeId}y`])).code, 1);
  await system.mustSpike(open);
  await system.mustSpike(['operator', 'recover']);
  shares = await readShareFiles(recovery());
  assert.equal(shares.length, 3);
  assert.equal((await system.spike(['operator', 'recover'])).code, 11, 'once');
});

test('a lost password: holders of a threshold of shares approve, and nobody else', async () => {
  await system.mustSpike(['secret', 'put', 'tenants/acme/db', 'user=app']);
  const ask = ['operator', 'reset-password', '--user', 'admin'];
  assert.equal((await system.spike(['operator', 'reset-password', '--user', 'nobody'])).code, 3);
  const asked = await system.spike(ask);
  assert.equal(asked.code, 11, asked.stderr);
  const id = approvalOf(asked.stderr);
  const approve = (share: string): Promise<Outcome> => system.spike(['approve', id], { input: share });
  const wrong = await approve(shareText({ ...shareOf(2), value: shareOf(1).value }));
  assert.equal(wrong.code, 1, wrong.stderr);
  assert.match(wrong.stderr, /not recovery share 2 of this instance/);
  assert.match(wrong.stderr, /reset-password of admin/, 'the holder sees what it is about');
  const first = await approve(shareText(shareOf(1)));
  assert.match(first.stdout, /1 more share has to answer/);
  assert.match((await approve(shareText(shareOf(1)))).stdout, /Share 1 had answered before\. 1 more/);
  assert.equal((await system.spike(ask)).code, 11, 'one of two is not enough');
  await withFile(shareText(shareOf(3)), async (file) => {
    assert.match(await system.mustSpike(['approve', id, '--share-file', file]), /It is approved/);
  });
  // It is for this one alone.
  await system.mustSpike(['admin', 'create', 'bob', '--role', 'auditor']);
  assert.equal((await system.spike(['operator', 'reset-password', '--user', 'bob'])).code, 11);
  const issued = parse<{ oneTimePassword: string }>(await system.mustSpike([...ask, '-f', 'json']));
  assert.equal((await system.spike(['secret', 'list'])).code, 8, 'all sessions have ended');
  assert.equal((await system.spike(ask)).code, 11, 'it worked once');
  const old = await system.spike(['login', '--password-stdin'], { input: password });
  assert.equal(old.code, 4);
  password = newPassword();
  await withFile(password, (file) =>
    system.mustSpike(['login', '--password-stdin', '--new-password-file', file], {
      input: issued.oneTimePassword,
    }),
  );
  assert.match(await system.mustSpike(['admin', 'show', 'admin']), /super_admin/);
  assert.match(await system.mustSpike(['secret', 'get', 'tenants/acme/db']), /user: app/);
});

test('an answer that was overheard is good for nothing else', async () => {
  await using holder = await openCaller(system, rolePaths.recover);
  const open = async (user: string): Promise<string> => {
    const failed = await holder.call.recoverPassword({ user }).then(
      () => undefined,
      (error: unknown) => error,
    );
    assert(failed instanceof Error);
    return approvalOf(failed.message);
  };
  const first = await open('bob');
  const second = await open('admin');
  const answer = await answerOf(holder, first, shareOf(2));
  await assert.rejects(holder.call.answerApproval({ id: second, share: 2, answer }), {
    code: 'shamir_reconstruction_failed',
  });
  await assert.rejects(holder.call.answerApproval({ id: first, share: 3, answer }), {
    code: 'shamir_reconstruction_failed',
  });
  const { repeated } = await holder.call.answerApproval({ id: first, share: 2, answer });
  assert.equal(repeated, false);
  assert.equal((await holder.call.answerApproval({ id: first, share: 2, answer })).repeated, true);
  const { approvals } = await holder.call.listApprovals({});
  assert.deepEqual(
    approvals
      .filter(({ id }) => [first, second].includes(id))
      .map(({ state, answered }) => [state, answered]),
    [
      ['waiting', [2]],
      ['waiting', []],
    ],
  );
});
