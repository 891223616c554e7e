import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nexusTable, rolePaths } from '@spike/contract';
import { SpikeError } from '@spike/error';
import { createContext, grantTo, TestWorld } from '@spike/server/testing';
import { argon2id } from '../admin/password-hash.ts';
import { passwords, Stage } from '../admin/testing/stage.ts';
import { hasCode } from '../vault/testing/instance.ts';
import { createApprovalHandlers } from './handler.ts';
import { RecoveryDoor } from './recovery-door.ts';
import { ApprovalStage, holder } from './testing/stage.ts';

const wish = { kind: 'reset-password', target: 'admin', by: holder } as const;

/** The route of a lost password over a real layer, whose hashes can be made to fail as a full queue does. */
async function open() {
  const full = { isFull: false };
  const stage = await Stage.open({
    argon2: async (...input) => {
      if (full.isFull) throw new SpikeError('limit_exceeded', 'too many passwords are being checked');
      return await argon2id(...input);
    },
  });
  await stage.init();
  const approvals = new ApprovalStage();
  const door = new RecoveryDoor({ isRecover: () => true, mayGive: () => true });
  const handlers = createApprovalHandlers({
    emergency: () => ({ approvals: approvals.book, door }),
    layer: () => stage.layer,
  });
  const peer = new TestWorld().peer(rolePaths.recover);
  const grant = grantTo(nexusTable.recoverPassword, { peer, administrator: undefined });
  const recover = () => handlers.recoverPassword(grant, { user: 'admin' }, createContext());
  const approve = (): void => {
    const id = approvals.ask(wish);
    approvals.answer(id, 1);
    approvals.answer(id, 2);
  };
  return { stage, approvals, full, recover, approve };
}

test('an approval is used up by what was approved, and not by a try that came to nothing', async () => {
  const { stage, full, recover, approve } = await open();
  await using _stage = stage;
  await assert.rejects(recover(), hasCode('approval_required'));
  approve();
  full.isFull = true;
  await assert.rejects(recover(), hasCode('limit_exceeded'));
  full.isFull = false;
  const { oneTimePassword } = await recover();
  await stage.login('admin', oneTimePassword, { newPassword: passwords.second });
  await assert.rejects(recover(), hasCode('approval_required'));
});

test('one approval is good for one of many at the same time', async () => {
  const { stage, recover, approve } = await open();
  await using _stage = stage;
  await assert.rejects(recover(), hasCode('approval_required'));
  approve();
  const results = await Promise.allSettled(Array.from({ length: 8 }, recover));
  assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
});

test('an approval is used up once for a transaction that the store is given twice', async () => {
  const { stage, approvals, recover, approve } = await open();
  await using _stage = stage;
  await assert.rejects(recover(), hasCode('approval_required'));
  approve();
  const { administrators } = stage.layer;
  const recoverPassword = administrators.recoverPassword.bind(administrators);
  administrators.recoverPassword = async (name, asked) =>
    await recoverPassword(name, {
      ...asked,
      check: () => {
        asked.check?.();
        asked.check?.();
      },
    });
  await recover();
  assert.deepEqual(approvals.book.list(), []);
});
