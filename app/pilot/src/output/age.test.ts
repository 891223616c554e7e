import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAge } from './age.ts';

const minute = 60_000;
const hour = 60 * minute;

test('an age is told in what a person counts in', () => {
  const told = [0, 59_999, minute, 59 * minute, hour, 47 * hour + minute, 48 * hour, 90 * 24 * hour];
  assert.deepEqual(told.map(formatAge), [
    'less than a minute',
    'less than a minute',
    '1 min',
    '59 min',
    '1 h 0 min',
    '47 h 1 min',
    '2 days',
    '90 days',
  ]);
});
