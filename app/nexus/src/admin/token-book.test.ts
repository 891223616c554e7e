import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Secret } from '@spike/crypto';
import { TokenBook, tokenLimits, type SessionDraft, type TokenBookOptions } from './token-book.ts';
import { makeToken } from './token-text.ts';

const minute = 60_000;
const hour = 60 * minute;
const root = 'spiffe://spike.ist/spike/pilot/role/superuser';

function stage(options: Partial<TokenBookOptions> = {}) {
  const time = { now: 1_000_000 };
  const book = new TokenBook({
    key: Secret.take(new Uint8Array(32).fill(7)),
    now: () => time.now,
    ...options,
  });
  const begin = (draft: Partial<SessionDraft> = {}) =>
    book.begin({
      token: makeToken(),
      administrator: 'admin',
      epoch: 1,
      spiffeId: root,
      remoteAddress: '127.0.0.1',
      scope: 'all',
      ttlMs: hour,
      uses: undefined,
      ...draft,
    });
  const admits = (token: string, id = root): boolean => book.present(token, id).kind === 'session';
  return { time, book, begin, admits };
}

test('a token is admitted from its identity until it expires, to the millisecond', () => {
  const { time, begin, admits } = stage({ idleMs: 2 * hour });
  const { token, session } = begin();
  assert.equal(session.expiresAt, time.now + hour);
  assert.equal(admits(token), true);
  time.now += hour - 1;
  assert.equal(admits(token), true);
  time.now += 1;
  assert.equal(admits(token), false);
});

test('a session that is not used ends after its idle time, and each use begins that anew', () => {
  const { time, book, begin, admits } = stage();
  const { token } = begin({ ttlMs: 12 * hour });
  for (let use = 0; use < 10; use++) {
    time.now += 15 * minute - 1;
    assert.equal(admits(token), true);
  }
  time.now += 15 * minute;
  assert.equal(admits(token), false);
  assert.deepEqual(book.list(), []);
});

test('nothing but the token itself is admitted', () => {
  const { begin, admits } = stage();
  const { token } = begin();
  const other = makeToken();
  const mixed = token.slice(0, 20) + other.text.slice(20);
  for (const bad of ['', 'spk_', other.text, mixed, `${token} `, token.slice(0, -1)])
    assert.equal(admits(bad), false);
  // Another key does not know it, though shape and accessor are right.
  const elsewhere = stage({ key: Secret.take(new Uint8Array(32).fill(8)) });
  elsewhere.begin();
  assert.equal(elsewhere.admits(token), false);
  assert.equal(admits(token), true);
});

test('a token from another identity is revoked, for its own one, too', () => {
  const { book, begin, admits } = stage();
  const { token, session } = begin();
  const presented = book.present(token, `${root}/mallory`);
  assert.deepEqual(presented, { kind: 'misused', session });
  assert.equal(admits(token), false);
  assert.equal(book.find(session.accessor), undefined);
});

test('a token for so many uses is refused after them, and what was admitted may still be done', () => {
  const { book, begin, admits } = stage();
  const { token, session } = begin({ uses: 2 });
  assert.deepEqual([admits(token), admits(token), admits(token)], [true, true, false]);
  assert.equal(book.find(session.accessor)?.usesLeft, 0);
  assert.deepEqual(
    book.list().map(({ uses, usesLeft }) => [uses, usesLeft]),
    [[2, 0]],
  );
});

test('renewing moves the end, at most to 12 hours after the login, and wakes nothing that has ended', () => {
  const { time, book, begin, admits } = stage({ idleMs: 24 * hour });
  const { token, session } = begin();
  const { accessor, createdAt } = session;
  time.now += 30 * minute;
  assert.equal(book.renew(accessor, hour)?.expiresAt, time.now + hour);
  assert.equal(book.renew(accessor, 5 * minute)?.expiresAt, time.now + 5 * minute, 'to an earlier end, too');
  assert.equal(book.renew(accessor, 12 * hour)?.expiresAt, createdAt + tokenLimits.longestMs);
  time.now = createdAt + tokenLimits.longestMs - 1;
  assert.equal(admits(token), true);
  assert.equal(book.renew(accessor, hour)?.expiresAt, createdAt + tokenLimits.longestMs);
  time.now += 1;
  assert.equal(admits(token), false);
  assert.equal(book.renew(accessor, hour), undefined);
  assert.equal(book.renew('aaaaaaaaaaaaaaaa', hour), undefined);
});

test('a login asks for at most 12 hours', () => {
  const { begin } = stage();
  const { session } = begin({ ttlMs: 100 * hour });
  assert.equal(session.expiresAt - session.createdAt, 12 * hour);
});

test('revoking one, those of one administrator, or all holds at once', () => {
  const { book, begin, admits } = stage();
  const [one, two, three] = [begin(), begin(), begin({ administrator: 'bob' })];
  assert.equal(
    book.revoke(({ accessor }) => accessor === one.session.accessor),
    1,
  );
  assert.deepEqual(
    [one, two, three].map(({ token }) => admits(token)),
    [false, true, true],
  );
  assert.equal(book.find(one.session.accessor), undefined);
  assert.equal(
    book.revoke(({ administrator }) => administrator === 'bob'),
    1,
  );
  assert.deepEqual(
    [two, three].map(({ token }) => admits(token)),
    [true, false],
  );
  book.revokeAll();
  assert.equal(admits(two.token), false);
});

test('accounts that log in often push out their own sessions, and not those of others', () => {
  const { book, begin, admits } = stage({ mostOfOne: 3, mostSessions: 7 });
  const bob = begin({ administrator: 'bob' });
  for (let count = 0; count < 9; count++) begin({ administrator: `puppet${count % 3}` });
  assert.equal(admits(bob.token), true);
  const carol = begin({ administrator: 'carol' });
  for (let count = 0; count < 9; count++) begin({ administrator: `puppet${count % 3}` });
  assert.deepEqual([admits(bob.token), admits(carol.token), book.list().length], [true, true, 7]);
});

test('of too many sessions the oldest end: those of the same administrator first', () => {
  const { book, begin, admits } = stage({ mostOfOne: 2, mostSessions: 3 });
  const bob = begin({ administrator: 'bob' });
  const mine = [begin(), begin(), begin()];
  assert.deepEqual(
    mine.map(({ token }) => admits(token)),
    [false, true, true],
  );
  assert.equal(admits(bob.token), true);
  const carol = begin({ administrator: 'carol' });
  assert.deepEqual(
    [bob, ...mine, carol].map(({ token }) => admits(token)),
    [true, false, false, true, true],
    'the oldest of whoever has the most',
  );
  assert.equal(book.list().length, 3);
});

test('sessions that have ended make room for new ones', () => {
  const { time, book, begin, admits } = stage({ mostSessions: 2 });
  const lasting = begin({ ttlMs: 12 * hour });
  begin({ ttlMs: minute });
  time.now += 2 * minute;
  begin();
  assert.equal(admits(lasting.token), true);
  assert.equal(book.list().length, 2);
});

test('what the book holds and shows never has the token in it', () => {
  const { book, begin } = stage();
  const { token } = begin();
  const secret = token.split('_')[2] ?? '';
  const shown = JSON.stringify(book.list()) + inspect(book, { depth: 9, showHidden: true });
  assert.ok(!shown.includes(secret));
  book[Symbol.dispose]();
  assert.deepEqual(book.list(), []);
});
