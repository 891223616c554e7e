import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { adr } from './adr-0008.ts';
import { root } from './step.ts';

const page = readFileSync(join(root, 'doc/reference/adr-0008.md'), 'utf8');

/** The cells of each row that begins with the number of a line. */
const rows = page.split('\n').flatMap((line) => {
  if (!/^\| +\d+ /.test(line)) return [];
  // A bar within a cell has a backslash before it.
  const cells = line.split(/(?<!\\)\|/).map((cell) => cell.trim().replaceAll('\\', ''));
  return [
    {
      number: Number(cells[1]),
      says: cells[2] ?? '',
      typed: cells[3] ?? '',
      where: cells[4] ?? '',
      shown: cells[5] ?? '',
    },
  ];
});

test('every line of the ADR has its row, in the order and in the words of the ADR', () => {
  assert.deepEqual(
    rows.map(({ number, says }) => [number, says]),
    adr.map((line, index) => [index + 1, line]),
  );
});

test('every row says what to type, names files, and names tests that show it', () => {
  for (const { number, typed, where, shown } of rows) {
    assert.ok(typed !== '', `row ${number}`);
    assert.match(where, /^`[^`]+`(, `[^`]+`)*$/, `row ${number}`);
    assert.match(shown, /^`[^`]+\.test\.ts`: “[^”]+”(; `[^`]+\.test\.ts`: “[^”]+”)*$/, `row ${number}`);
  }
});

test('every file and every test that the page names is there, by that title', () => {
  const files = rows.flatMap(({ where }) => [...where.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file));
  assert.ok(files.length >= 200, String(files.length));
  for (const file of files) assert.ok(existsSync(join(root, file)), file);
  const named = rows.flatMap(({ shown }) =>
    [...shown.matchAll(/`([^`]+)`: “([^”]+)”/g)].map(([, file = '', title = '']) => ({ file, title })),
  );
  assert.ok(new Set(named.map(({ title }) => title)).size >= 100);
  for (const { file, title } of named) {
    assert.ok(existsSync(join(root, file)), file);
    const source = readFileSync(join(root, file), 'utf8');
    // A title that is made for each of several cases is a template.
    assert.ok(
      source.includes(`'${title}'`) || source.includes(`\`${title}\``),
      `${file} has no test “${title}”`,
    );
  }
});

test('every command that the page names is one of the reference', () => {
  const reference = readFileSync(join(root, 'doc/reference/command.md'), 'utf8');
  const commands = rows.flatMap(({ typed }) =>
    [...typed.matchAll(/`spike ([a-z]+(?: [a-z][a-z-]*)?)/g)].map(([, words = '']) => words),
  );
  assert.ok(commands.length >= 60, String(commands.length));
  for (const words of new Set(commands)) {
    // One that has a default, or arguments, goes on behind its name.
    const isThere = new RegExp(`\n## spike ${words}[ \n]`).test(reference) || isArgument(words, reference);
    assert.ok(isThere, `spike ${words}`);
  }
});

/** Whether the second word is what the command works on: `spike reset --force` has none, `spike approve reset-password` has. */
function isArgument(words: string, reference: string): boolean {
  const [first = '', second] = words.split(' ');
  return second !== undefined && reference.includes(`\n## spike ${first} `) && reference.includes(second);
}
