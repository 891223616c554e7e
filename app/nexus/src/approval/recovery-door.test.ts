import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../vault/testing/instance.ts';
import { RecoveryDoor } from './recovery-door.ts';

const id = 'spiffe://spike.ist/spike/pilot/role/recover';
const minute = 60_000;

function use(door: RecoveryDoor, spiffeId: string): string {
  using taken = door.take(spiffeId);
  taken.use();
  return taken.by;
}

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
  assert.throws(() => use(door, id), hasCode('approval_required'));
  assert.equal(door.open(id, 'admin').expiresAt, Date.parse('2026-05-01T12:10:00Z'));
  assert.throws(() => use(door, `${id}/other`), hasCode('approval_required'));
  assert.deepEqual(
    door.list().map(({ spiffeId }) => spiffeId),
    [id],
  );
  assert.equal(use(door, id), 'admin');
  assert.throws(() => use(door, id), hasCode('approval_required'));
});

test('it is open for 10 minutes, whatever the wall clock is set to', () => {
  const { door, at } = stage();
  door.open(id, 'admin');
  at.wall -= 60 * minute;
  at.ticks += 10 * minute - 1;
  assert.equal(door.list().length, 1);
  at.ticks += 1;
  assert.throws(() => use(door, id), hasCode('approval_required'));
});

test('an administrator who is no more trusted has opened nothing', () => {
  const { door, trusted } = stage();
  door.open(id, 'admin');
  trusted.clear();
  assert.throws(() => use(door, id), hasCode('approval_required'));
});

test('an ID that could not use it, and too many, are refused', () => {
  const { door } = stage();
  assert.throws(() => door.open('spiffe://spike.ist/app', 'admin'), hasCode('data_invalid_input'));
  for (let count = 0; count < 20; count++) door.open(`${id}/${count}`, 'admin');
  assert.throws(() => door.open(id, 'admin'), hasCode('limit_exceeded'));
  door.open(`${id}/0`, 'admin');
});

test('what was taken and not used is given back with the time that it has left, once', () => {
  const { door, at } = stage();
  door.open(id, 'admin');
  at.ticks += 9 * minute;
  const taken = door.take(id);
  assert.throws(() => door.take(id), hasCode('approval_required'));
  taken[Symbol.dispose]();
  assert.equal(use(door, id), 'admin');
  taken[Symbol.dispose]();
  assert.throws(() => door.take(id), hasCode('approval_required'));

  door.open(id, 'admin');
  {
    using _taken = door.take(id);
    at.ticks += 10 * minute;
  }
  assert.deepEqual(door.list(), []);
});

test('what was opened again while it was taken is open once, as the second time', () => {
  const { door, trusted } = stage();
  trusted.add('other');
  door.open(id, 'admin');
  {
    using _taken = door.take(id);
    door.open(id, 'other');
  }
  assert.equal(use(door, id), 'other');
  assert.throws(() => door.take(id), hasCode('approval_required'));
});
