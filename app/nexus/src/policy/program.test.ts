import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Programs } from './program.ts';

test('a compiled pattern is kept while it is asked for, and of many only so many are', () => {
  const programs = new Programs(2);
  const a = programs.get('a');
  const b = programs.get('b');
  assert.equal(programs.get('a'), a);
  programs.get('c');
  assert.equal(programs.size, 2);
  assert.equal(programs.get('a'), a);
  assert.notEqual(programs.get('b'), b);
  assert.equal(programs.size, 2);
});

test('what is no expression is not kept', () => {
  const programs = new Programs();
  assert.throws(() => programs.get('a('));
  assert.equal(programs.size, 0);
});
