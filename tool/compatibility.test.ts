import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { root } from './step.ts';

const page = readFileSync(join(root, 'doc/reference/compatibility.md'), 'utf8');
const rows = page.split('\n').filter((line) => line.startsWith('| '));

/** The tests that a row names: `file`: “title”. */
function testsOf(row: string): readonly { file: string; title: string }[] {
  return [...row.matchAll(/`([^`]+\.test\.ts)`: “([^”]+)”/g)].map(([, file = '', title = '']) => ({
    file,
    title,
  }));
}

test('the page of differences has a row for each of the thirty weaknesses, in order, with a test', () => {
  const numbered = rows.flatMap((row) => {
    const number = /^\| (\d+) +\|/.exec(row)?.[1];
    return number === undefined ? [] : [{ number: Number(number), row }];
  });
  assert.deepEqual(
    numbered.map(({ number }) => number),
    Array.from({ length: 30 }, (_, index) => index + 1),
  );
  for (const { number, row } of numbered) {
    const [, , there = '', here = ''] = row.split('|');
    assert.ok(there.trim().length > 10 && here.trim().length > 10, String(number));
    assert.ok(testsOf(row).length > 0, `row ${String(number)} names no test`);
  }
});

test('every test that the page names is there, by that title', () => {
  const named = rows.flatMap(testsOf);
  assert.ok(named.length >= 50, String(named.length));
  assert.equal(page.split('.test.ts`: ').length - 1, named.length, 'a test is named in another form');
  for (const { file, title } of named) {
    assert.ok(existsSync(join(root, file)), file);
    const source = readFileSync(join(root, file), 'utf8');
    assert.ok(source.includes(`'${title}'`), `${file} has no test “${title}”`);
  }
});
