import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { anyCharacter } from '@spike/error/testing';
import fc from 'fast-check';
import { quote } from './quote.ts';

test('whatever a value is, the shell reads it back as one word', () => {
  const value = fc.oneof(
    fc.string({ unit: anyCharacter }),
    fc.string({ unit: fc.constantFrom("'", '"', '\\', '$', '`', '\n', ' ', ';', '(', ')', '*', '!', 'a') }),
  );
  const values = fc.sample(
    value.filter((text) => !text.includes('\0')),
    300,
  );
  const script = values.map((text) => `printf '%s\\0' ${quote(text)}\n`).join('');
  const { stdout } = spawnSync('sh', { input: script, encoding: 'utf8' });
  assert.deepEqual(stdout.split('\0').slice(0, -1), values);
  assert.throws(() => quote('a\0b'), { code: 'data_invalid_input' });
  assert.throws(() => quote('\ud800'), { code: 'data_invalid_input' });
});
