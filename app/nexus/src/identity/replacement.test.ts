import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addressOf, toText } from './replacement.ts';

test('an address is handed on as settings have it, of either family', () => {
  assert.equal(toText(addressOf('http://127.0.0.1:8554')), '127.0.0.1:8554');
  assert.equal(toText(addressOf('https://[::1]:8553')), '[::1]:8553');
});
