import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../vault/testing/instance.ts';
import { RecoveryDoor } from './recovery-door.ts';

const id = 'spiffe://spike.ist/spike/pilot/role/recover';
const minute = 60_000;

function stage() {
  const at = { wall: Date.parse('2026-05-01T12:00:00Z'), ticks: 5 };
  const trusted = new Set(['admin']);
  const door = new RecoveryDoor({
    isRecover: (spiffeId) => spiffeId.startsWith(id),
    mayGive: (name) => trusted.has(name),
    ticks: () => at.ticks,
    wall: () => at.wall,
  });
  return { at, trusted, door };
}

test('it opens for exactly the SPIFFE ID that is named, once', () => {
  const { door } = stage();
  assert.throws(() => door.pass(id), hasCode('approval_required'));
  assert.equal(door.open(id, 'admin').expiresAt, Date.parse('2026-05-01T12:10:00Z'));
  assert.throws(() => door.pass(`${id}/other`), hasCode('approval_required'));
  assert.deepEqual(
    door.list().map(({ spiffeId }) => spiffeId),
    [id],
  );
  assert.equal(door.pass(id).by, 'admin');
  assert.throws(() => door.pass(id), hasCode('approval_required'));
});

test('it is open for 10 minutes, whatever the wall clock is set to', () => {
  const { door, at } = stage();
  door.open(id, 'admin');
  at.wall -= 60 * minute;
  at.ticks += 10 * minute - 1;
  assert.equal(door.list().length, 1);
  at.ticks += 1;
  assert.throws(() => door.pass(id), hasCode('approval_required'));
});

test('an administrator who is no more trusted has opened nothing', () => {
  const { door, trusted } = stage();
  door.open(id, 'admin');
  trusted.clear();
  assert.throws(() => door.pass(id), hasCode('approval_required'));
});

test('an ID that could not use it, and too many, are refused', () => {
  const { door } = stage();
  assert.throws(() => door.open('spiffe://spike.ist/app', 'admin'), hasCode('data_invalid_input'));
  for (let count = 0; count < 20; count++) door.open(`${id}/${count}`, 'admin');
  assert.throws(() => door.open(id, 'admin'), hasCode('limit_exceeded'));
  door.open(`${id}/0`, 'admin');
});
