import { test } from 'node:test';
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { SpikeError } from '@spike/error';
import { formatRequest, formatResponse, parseRequest, parseResponse } from './codec.ts';
import type { Route } from './define.ts';
import { formatJson, parseJson } from './json.ts';
import { isName } from './schema/name.ts';
import { SecretPath } from './schema/path.ts';
import { toValueMap } from './schema/value-map.ts';
import { keeperTable, nexusTable } from './table.ts';

const json = (text: string): unknown => parseJson(Buffer.from(text));
const shardJson = Array.from({ length: 32 }, (_, index) => index);
const shard = Uint8Array.from(shardJson);

function put(values: string): unknown {
  return parseRequest(nexusTable.putSecret, json(`{"path":"a/b","values":${values}}`)).values;
}

void test('__proto__ and its like are keys of a secret like others, on the whole way', () => {
  const values = put('{"__proto__":"x","constructor":"y","toString":"z"}');
  assert.equal(JSON.stringify(values), '{"__proto__":"x","constructor":"y","toString":"z"}');
  const sent = formatRequest(nexusTable.putSecret, {
    path: SecretPath.parse('a'),
    values: toValueMap(values),
  });
  assert.equal(
    JSON.stringify(sent),
    '{"path":"a","values":{"__proto__":"x","constructor":"y","toString":"z"}}',
  );
  const answer = formatResponse(nexusTable.getSecret, { data: toValueMap(values) });
  assert.equal(JSON.stringify(answer), '{"data":{"__proto__":"x","constructor":"y","toString":"z"}}');
  const read = parseResponse(nexusTable.getSecret, json(JSON.stringify(answer)));
  assert.deepEqual(Object.entries(read.data), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
    ['toString', 'z'],
  ]);
});

void test('values with allowed keys survive the way there and back', () => {
  const key = fc.string({
    unit: fc.constantFrom('a', 'Z', '0', '9', '-', '_', ' '),
    minLength: 1,
    maxLength: 250,
  });
  fc.assert(
    fc.property(fc.dictionary(key, fc.string({ unit: 'grapheme' })), (values) => {
      const request = { path: SecretPath.parse('p'), values: toValueMap(values) };
      const wire = formatJson(formatRequest(nexusTable.putSecret, request));
      const back = parseRequest(nexusTable.putSecret, parseJson(wire));
      assert.deepEqual(Object.entries(back.values), Object.entries(values));
    }),
  );
});

for (const [what, values] of Object.entries({
  'a number': '{"a":1}',
  null: '{"a":null}',
  'a key with a colon': '{"a:b":"x"}',
  'an empty key': '{"":"x"}',
  'a key of 251 characters': `{"${'a'.repeat(251)}":"x"}`,
  'an array': '["x"]',
  'a text': '"x"',
  'half of a surrogate pair': '{"a":"\\ud800"}',
  '1001 keys': JSON.stringify(Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`k${i}`, '']))),
})) {
  void test(`as values, ${what} is refused in words that say nothing of it`, () => {
    assert.throws(
      () => put(values),
      (error) => {
        assert.ok(error instanceof SpikeError);
        assert.equal(error.code, 'api_bad_request');
        assert.match(error.message, /^values: has/);
        assert.ok(error.message.length < 120);
        return true;
      },
    );
  });
}

void test('absent, null and zero are the same on the routes of the original', () => {
  const { deleteSecret, getSecret, putSecret, listPolicies } = nexusTable;
  const path = SecretPath.parse('a');
  for (const body of ['{"path":"a","versions":null}', '{"path":"a"}', '{"path":"a","versions":[],"err":""}'])
    assert.deepEqual(parseRequest(deleteSecret, json(body)), { path, versions: [] });
  assert.deepEqual(parseRequest(getSecret, json('{"path":"a","version":null}')), { path, version: 0 });
  assert.deepEqual(Object.keys(parseRequest(putSecret, json('{"path":"a","values":null}')).values), []);
  assert.deepEqual(parseRequest(listPolicies, json('{}')), { spiffeidPattern: '', pathPattern: '' });
});

void test('new routes refuse fields that they do not know, and old ones ignore them', () => {
  assert.throws(() => parseRequest(nexusTable.beginBootstrap, json('{"force":true}')), {
    code: 'api_bad_request',
  });
  assert.throws(() => parseRequest(nexusTable.status, json('{"__proto__":{"verify":true}}')), {
    code: 'api_bad_request',
  });
  assert.deepEqual(parseRequest(nexusTable.recover, json('{"x":1}')), {});
});

void test('a shard has 32 numbers from 0 to 255 that are not all zero', () => {
  const give = (value: unknown): unknown => parseRequest(keeperTable.contributeShare, { shard: value });
  assert.deepEqual(give(shardJson), { shard });
  const bad = [
    undefined,
    null,
    [],
    shardJson.slice(1),
    [...shardJson, 1],
    shardJson.map(() => 0),
    shardJson.map(() => 256),
    shardJson.map(() => -1),
    shardJson.map(() => 0.5),
    shardJson.map(String),
    'AAAA',
    { length: 32 },
  ];
  for (const value of bad)
    assert.throws(() => give(value), { code: 'api_bad_request' }, JSON.stringify(value));
});

void test('shards are written as Go reads them', () => {
  const one = formatResponse(keeperTable.fetchShare, { shard });
  assert.equal(JSON.stringify(one), `{"shard":${JSON.stringify(shardJson)},"Err":""}`);
  const all = formatResponse(nexusTable.recover, { shards: new Map([[2, shard]]) });
  assert.equal(JSON.stringify(all), `{"shards":{"2":${JSON.stringify(shardJson)}}}`);
  assert.deepEqual(
    parseResponse(nexusTable.recover, json(JSON.stringify(all))).shards,
    new Map([[2, shard]]),
  );
});

void test('a lying server is not believed', () => {
  const bad = [{ shards: { 0: shardJson } }, { shards: { 1: [] } }, { shards: null }, {}, null, [], 'x'];
  for (const answer of bad)
    assert.throws(() => parseResponse(nexusTable.recover, answer), { code: 'net_peer_connection' });
  assert.throws(() => parseResponse(nexusTable.getSecret, { data: { a: 1 } }), {
    code: 'net_peer_connection',
  });
});

void test('the proof of Bootstrap takes padded base64 and a nonce of 12 bytes', () => {
  const verify = (nonce: unknown, ciphertext: unknown): unknown =>
    parseRequest(nexusTable.verifyBootstrap, { nonce, ciphertext });
  const nonce = 'AAAAAAAAAAAAAAAA';
  assert.deepEqual(verify(nonce, 'AQ=='), { nonce: new Uint8Array(12), ciphertext: Uint8Array.of(1) });
  const long = Buffer.alloc(33_000).toString('base64');
  for (const [a, b] of [
    ['AAAA', 'AQ=='],
    [nonce, 'AQ'],
    [nonce, 'AQ-_'],
    [nonce, null],
    [nonce, [1]],
    [nonce, long],
  ])
    assert.throws(() => verify(a, b), { code: 'api_bad_request' });
});

void test('an answer lets out the fields of its route and nothing else', () => {
  const output = { data: toValueMap({ a: 'b' }), version: 3, key: 'leak' };
  assert.deepEqual(Object.keys(formatResponse(nexusTable.getSecret, output)), ['data', 'version']);
});

void test('an answer that is not of its form does not leave', () => {
  assert.throws(() => formatResponse(nexusTable.verifyBootstrap, {} as { hash: string }), {
    code: 'api_internal_error',
  });
});

void test('times are RFC 3339, with the offsets and fractions that Go writes', () => {
  const policy = {
    id: '',
    name: 'p',
    spiffiedPattern: '',
    pathPattern: '',
    permissions: [],
    updatedAt: '0001-01-01T00:00:00Z',
  };
  for (const createdAt of ['2026-11-22T21:00:00Z', '2026-11-22T21:00:00.123456789+02:00'])
    assert.equal(parseResponse(nexusTable.getPolicy, { ...policy, createdAt }).createdAt, createdAt);
  assert.throws(() => parseResponse(nexusTable.getPolicy, { ...policy, createdAt: 'yesterday' }));
});

void test('any JSON is parsed by any route, or refused with api_bad_request', () => {
  const routes: Route[] = [...Object.values(nexusTable), ...Object.values(keeperTable)];
  const fields = [
    'path',
    'values',
    'version',
    'versions',
    'shard',
    'id',
    'nonce',
    'lease',
    '__proto__',
    'name',
  ];
  const body = fc.oneof(
    fc.jsonValue(),
    fc.dictionary(fc.constantFrom(...fields), fc.jsonValue()).map((one) => json(JSON.stringify(one))),
  );
  fc.assert(
    fc.property(fc.constantFrom(...routes), body, (route, value) => {
      try {
        parseRequest(route, value);
      } catch (error) {
        assert.ok(error instanceof SpikeError && error.code === 'api_bad_request', String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

void test('a name has 1 to 250 letters, digits, spaces, dashes and underscores', () => {
  for (const name of ['a', 'Z 9-_', '__proto__', 'x'.repeat(250)]) assert.equal(isName(name), true);
  for (const name of ['', 'a.b', 'a/b', 'ä', 'a\n', 'x'.repeat(251)]) assert.equal(isName(name), false);
});

void test('what is wrong about a request is said by its field and the rule that it broke', () => {
  const { putSecret, destroySecret, listSecrets, restore, putPolicy } = nexusTable;
  const cases: readonly (readonly [Route, string, string])[] = [
    [listSecrets, '{"limit":0}', 'limit: is at least 1'],
    [listSecrets, '{"limit":10001}', 'limit: is at most 10000'],
    [listSecrets, '{"limit":1.5}', 'limit: has to be a whole number'],
    [listSecrets, '{"recursive":"no"}', 'recursive: has to be true or false'],
    [listSecrets, '[]', 'the body: has to be an object'],
    [listSecrets, 'null', 'the body: has to be an object'],
    [destroySecret, '{"path":"a","versions":null}', 'versions: has to be a list'],
    [putSecret, '{"path":"a","maxVersions":0}', 'maxVersions: is at least 1'],
    [putSecret, '{"path":"a","values":{"k":1}}', 'values: has a value that is not a text'],
    [
      putSecret,
      '{"path":"a","values":{"k":""},"encoding":{"k":"hex"}}',
      'encoding: has an encoding that is not base64, the only one there is',
    ],
    [restore, '{"id":1001,"shard":[]}', 'id: is at most 1000'],
    [putPolicy, '{"name":"a","permissions":"read"}', 'permissions: has to be a list'],
  ];
  for (const [route, text, message] of cases) {
    assert.throws(() => parseRequest(route, json(text)), { code: 'api_bad_request', message }, text);
  }
});
