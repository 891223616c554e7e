import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFormat, toJson, toYaml } from './format.ts';

test('the format names are those of the Go command, and any other is refused', () => {
  for (const name of ['', 'human', 'h', 'plain', 'p']) assert.equal(parseFormat(name), 'human');
  for (const name of ['json', 'j']) assert.equal(parseFormat(name), 'json');
  for (const name of ['yaml', 'y']) assert.equal(parseFormat(name), 'yaml');
  for (const name of ['JSON', 'xml', 'toString', '__proto__', ' json']) {
    assert.throws(() => parseFormat(name), { code: 'data_invalid_input' });
  }
});

test('JSON ends with a line break, and YAML with one more', async () => {
  assert.equal(toJson({ k: 'v' }, 4), '{\n    "k": "v"\n}\n');
  assert.equal(toJson([], 2), '[]\n');
  assert.equal(await toYaml({ k: 'v' }), 'k: v\n\n');
  assert.equal(await toYaml([]), '[]\n\n');
});

test('a text that YAML would read as something else is quoted, and a long one is not folded', async () => {
  assert.equal(await toYaml({ k: 'true', n: '1' }), 'k: "true"\nn: "1"\n\n');
  const long = 'word '.repeat(100).trim();
  assert.equal(await toYaml({ k: long }), `k: ${long}\n\n`);
});
