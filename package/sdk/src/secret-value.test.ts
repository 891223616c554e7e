import { test } from 'node:test';
import assert from 'node:assert/strict';
import { format, inspect } from 'node:util';
import { toValueMap } from '@spike/contract';
import { Secret, SecretValue } from './secret-value.ts';

const value = new SecretValue('hunter2');
const secret = new Secret(
  'tenants/acme/db',
  3,
  toValueMap(JSON.parse('{"password":"hunter2","__proto__":"hunter2"}')),
);

const ways: Readonly<Record<string, (thing: SecretValue | Secret) => string>> = {
  'a list': (thing) => ['', thing].join(' '),
  concatenation: (thing) => `value: ${String(thing)}`,
  JSON: (thing) => JSON.stringify({ thing }),
  inspect: (thing) => inspect(thing, { depth: 9, showHidden: true }),
  'inspect without custom functions': (thing) =>
    inspect(thing, { customInspect: false, showHidden: true, depth: 9 }),
  '%s %j %o %O': (thing) => format('%s %j %o %O', thing, thing, thing, thing),
  'an error and its cause': (thing) => inspect(new Error('failed', { cause: thing })),
  'a copy': (thing) => inspect(Object.assign({}, thing)),
  keys: (thing) => Object.keys(thing).join(),
  structuredClone: (thing) => inspect(structuredClone(thing) as unknown, { showHidden: true, depth: 9 }),
};

for (const [way, show] of Object.entries(ways)) {
  void test(`${way} does not show a secret or one of its values`, () => {
    assert.doesNotMatch(show(value), /hunter2/);
    assert.doesNotMatch(show(secret), /hunter2/);
  });
}

void test('whoever asks for a value gets it', () => {
  assert.equal(value.expose(), 'hunter2');
  assert.equal(secret.field('password').expose(), 'hunter2');
  assert.deepEqual(secret.keys, ['password', '__proto__']);
  assert.equal(secret.field('__proto__').expose(), 'hunter2');
  assert.deepEqual(
    [...secret].map(([key, one]) => [key, one.expose()]),
    [
      ['password', 'hunter2'],
      ['__proto__', 'hunter2'],
    ],
  );
});

void test('a field that is not there is an error that names no other', () => {
  assert.equal(secret.has('passwort'), false);
  assert.throws(() => secret.field('passwort'), {
    code: 'api_not_found',
    message: /^the secret at tenants\/acme\/db/,
  });
  assert.throws(() => secret.field('toString'), { code: 'api_not_found' });
});
