import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { programOf, programs, thisProgram } from './program.ts';

const root = join(import.meta.dirname, '..', '..', '..');

test('each program is there in the source tree', () => {
  for (const { source } of Object.values(programs)) assert.ok(existsSync(join(root, source)), source);
});

test('from source a program is run by this Node with its flags, and so is this one once more', () => {
  const { file, args } = programOf('keeper', ['3']);
  assert.equal(file, process.execPath);
  assert.deepEqual(args, [...process.execArgv, join(root, 'app', 'keeper', 'src', 'main.ts'), '3']);
  assert.deepEqual(thisProgram(), {
    file: process.execPath,
    args: [...process.execArgv, import.meta.filename, ...process.argv.slice(2)],
  });
});
