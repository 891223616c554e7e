import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../vault/testing/instance.ts';
import { trim } from './alert.ts';
import { AlertBook, everySubject } from './book.ts';
import { alertKinds, type AlertKind } from './kind.ts';

const minute = 60_000;
const start = 1_800_000_000_000;

const one = (kind: AlertKind, subject = '') => trim({ kind, subject, message: `about ${subject}` });

test('what is open is counted, and told again only after the time of its kind', () => {
  const book = new AlertBook(100);
  const first = book.raise(one('token_misuse', 'a'), start);
  assert.deepEqual([first.tell, first.alert.count, first.alert.id], [true, 1, 1]);
  const soon = book.raise(one('token_misuse', 'a'), start + minute);
  assert.deepEqual([soon.tell, soon.alert.count, soon.alert.id], [false, 2, 1]);
  const due = alertKinds.token_misuse.remindMinutes * minute;
  const later = book.raise(one('token_misuse', 'a'), start + due);
  assert.deepEqual([later.tell, later.alert.count, later.alert.firstAt], [true, 3, start]);
  assert.equal(book.raise(one('token_misuse', 'b'), start).alert.id, 2, 'another subject is another alert');
  assert.equal(book.raise(one('password_reset', 'a'), start).alert.id, 3, 'so is another kind');
});

test('a clock that is put back silences nothing', () => {
  const book = new AlertBook(100);
  book.raise(one('token_misuse', 'a'), start);
  assert.equal(book.raise(one('token_misuse', 'a'), start - 24 * 60 * minute).tell, true);
});

test('an acknowledged alert is kept with who and when, and what comes then is a new one', () => {
  const book = new AlertBook(100);
  const { alert } = book.raise(one('clock_step'), start);
  assert.equal(book.acknowledge(alert.id, { by: 'alice', at: start + 1 }).changed, true);
  assert.equal(book.acknowledge(alert.id, { by: 'bob', at: start + 2 }).changed, false);
  assert.deepEqual(book.get(alert.id).acknowledged, { by: 'alice', at: start + 1 });
  assert.deepEqual(book.raise(one('clock_step'), start + 3).alert.id, 2);
  assert.throws(() => book.acknowledge(7, { by: 'alice', at: start }), hasCode('api_not_found'));
});

test('beyond the limit of its kind all subjects are one alert, until the hour is over', () => {
  const book = new AlertBook(1000);
  const { perHour } = alertKinds.token_misuse;
  for (let n = 0; n < perHour; n++) assert.equal(book.raise(one('token_misuse', `s${n}`), start).tell, true);
  const over = book.raise(one('token_misuse', 'x'), start + minute);
  assert.deepEqual([over.alert.subject, over.tell], [everySubject, true]);
  for (let n = 0; n < 10_000; n++) book.raise(one('token_misuse', `y${n}`), start + minute);
  assert.equal(book.list().length, perHour + 1);
  assert.equal(book.get(over.alert.id).count, 10_001);
  assert.equal(
    book.raise(one('token_misuse', 's0'), start + minute).alert.count,
    2,
    'one that is open is still counted',
  );
  assert.equal(book.raise(one('token_misuse', 'z'), start + 61 * minute).alert.subject, 'z');
});

test('the bound holds: acknowledged ones go first, oldest first, then the least severe', () => {
  const book = new AlertBook(3);
  book.raise(one('unusual_access', 'a'), start);
  book.raise(one('token_misuse', 'b'), start + 1);
  book.raise(one('token_misuse', 'c'), start + 2);
  book.acknowledge(3, { by: 'alice', at: start });
  book.acknowledge(2, { by: 'alice', at: start });
  const subjects = () => book.list().map(({ subject }) => subject);
  assert.deepEqual(book.raise(one('token_misuse', 'd'), start + 3).removed, [2]);
  assert.deepEqual(book.raise(one('token_misuse', 'e'), start + 4).removed, [3]);
  assert.deepEqual(
    book.raise(one('token_misuse', 'f'), start + 5).removed,
    [1],
    'the least severe of the open ones',
  );
  assert.deepEqual(book.raise(one('token_misuse', 'g'), start + 6).removed, [4]);
  assert.deepEqual(subjects(), ['g', 'f', 'e']);
});

test('what is raised is cut to what may be kept', () => {
  const detail = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`d${n}`, 'x'.repeat(5000)]));
  const cut = trim({ kind: 'clock_step', subject: 's'.repeat(9000), message: 'm'.repeat(9000), detail });
  assert.ok(JSON.stringify(cut).length < 7_000);
});
