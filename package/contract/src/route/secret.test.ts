import { test } from 'node:test';
import assert from 'node:assert/strict';
import { formatRequest, formatResponse, parseRequest, parseResponse } from '../codec.ts';
import type { InputOf, Route } from '../define.ts';
import { SecretPath } from '../schema/path.ts';
import { nexusTable, nexusTableOf } from '../table.ts';

const { putSecret, undeleteSecret, destroySecret, getMetadata, setMetadata, listSecrets } = nexusTable;
const path = SecretPath.parse('a/b');

function parse<R extends Route>(route: R, body: string): InputOf<R> {
  return parseRequest(route, JSON.parse(body));
}

function refused(route: Route, body: string, message?: RegExp): void {
  assert.throws(() => parse(route, body), { code: 'api_bad_request', ...(message && { message }) }, body);
}

void test('a Go client puts, undeletes and lists as before', () => {
  assert.deepEqual({ ...parse(putSecret, '{"path":"a/b","values":null,"err":""}').values }, {});
  assert.deepEqual(parse(undeleteSecret, '{"path":"a/b","versions":null}').versions, []);
  assert.deepEqual(parse(undeleteSecret, '{"path":"a/b","versions":[]}').versions, []);
  assert.deepEqual(parse(undeleteSecret, '{"path":"a/b"}').versions, []);
  assert.deepEqual(parse(listSecrets, '{}'), {});
});

void test('put takes the version it follows, how many to keep, and which values are bytes', () => {
  const input = parse(putSecret, '{"path":"a/b","values":{"k":"AQ=="},"encoding":{"k":"base64"},"cas":0}');
  assert.deepEqual([input.cas, input.encoding?.['k'], input.maxVersions], [0, 'base64', undefined]);
  const put = (more: string): string => `{"path":"a/b","values":{},${more}}`;
  assert.equal(parse(putSecret, put('"maxVersions":1000')).maxVersions, 1000);
  for (const more of ['"cas":-1', '"cas":1.5', '"cas":"1"', '"cas":9007199254740992'])
    refused(putSecret, put(more), /^cas/);
  for (const more of ['"maxVersions":0', '"maxVersions":1001']) refused(putSecret, put(more), /^maxVersions/);
  for (const more of [
    '"encoding":{"k":"hex"}',
    '"encoding":{"k":1}',
    '"encoding":["k"]',
    '"encoding":"base64"',
  ])
    refused(putSecret, put(more), /^encoding/);
});

void test('destroy wants versions or all, not both, not neither, and nothing that it does not know', () => {
  assert.deepEqual(parse(destroySecret, '{"path":"a/b","versions":[3,1]}').versions, [3, 1]);
  assert.equal(parse(destroySecret, '{"path":"a/b","all":true}').all, true);
  for (const body of [
    '{"path":"a/b"}',
    '{"path":"a/b","versions":[1],"all":true}',
    '{"path":"a/b","all":false}',
    '{"path":"a/b","versions":[1],"all":false}',
    '{"path":"a/b","versions":[]}',
    '{"path":"a/b","versions":null,"all":true}',
    '{"path":"a/b","versions":[0]}',
    '{"path":"a/b","versions":[-1]}',
    '{"path":"a/b","versions":[1],"force":true}',
  ])
    refused(destroySecret, body);
});

void test('metadata is changed by what is given, and by something', () => {
  assert.deepEqual(parse(setMetadata, '{"path":"a/b","owner":""}').owner, '');
  const { labels = {} } = parse(setMetadata, '{"path":"a/b","labels":{"__proto__":"x","constructor":"y"}}');
  assert.deepEqual(Object.entries(labels), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ]);
  refused(setMetadata, '{"path":"a/b"}', /changes nothing/);
  for (const body of [
    '{"path":"a/b","team":"x"}',
    '{"path":"a/b","owner":null}',
    '{"path":"a/b","owner":"\\ud800"}',
    `{"path":"a/b","owner":"${'x'.repeat(251)}"}`,
    `{"path":"a/b","description":"${'x'.repeat(2001)}"}`,
    '{"path":"a/b","labels":{"a.b":"x"}}',
    '{"path":"a/b","labels":{"a":"\\udc00"}}',
    '{"path":"a/b","labels":{"a":null}}',
    `{"path":"a/b","labels":{"a":"${'x'.repeat(251)}"}}`,
    `{"path":"a/b","labels":${JSON.stringify(Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`l${i}`, ''])))}}`,
    '{"path":"a/b","maxVersions":0}',
  ])
    refused(setMetadata, body);
});

void test('metadata comes in the form that the original has, and ours beside it', () => {
  const time = '2026-11-22T21:00:00.5Z';
  const labels = Object.assign(Object.create(null) as object, JSON.parse('{"__proto__":"x"}')) as Record<
    string,
    string
  >;
  const answer = formatResponse(getMetadata, {
    versions: { 2: { createdTime: time, version: 2, deletedTime: null } },
    metadata: {
      currentVersion: 2,
      oldestVersion: 2,
      createdTime: time,
      updatedTime: time,
      maxVersions: 10,
      labels,
    },
  });
  assert.equal(
    JSON.stringify(answer),
    `{"versions":{"2":{"createdTime":"${time}","version":2,"deletedTime":null}},` +
      `"metadata":{"currentVersion":2,"oldestVersion":2,"createdTime":"${time}","updatedTime":"${time}","maxVersions":10,"labels":{"__proto__":"x"}}}`,
  );
  // A Go Nexus writes its own offset, and sends none of our fields.
  const theirs = JSON.stringify(answer)
    .replaceAll(time, '2026-11-22T22:00:00.123456789+01:00')
    .replace(/,"labels":{[^}]*}/, '');
  const read = parseResponse(getMetadata, JSON.parse(theirs));
  assert.equal(read.versions['2']?.deletedTime, null);
  assert.equal(read.metadata.labels, undefined);
});

void test('a request has room for a secret of the largest size, however JSON writes it', () => {
  for (const secretBytes of [1000, 1024 * 1024]) {
    const { putSecret: route } = nexusTableOf({ secretBytes });
    const values = { k: '\u0001'.repeat(secretBytes - 1) };
    const longest = JSON.stringify(formatRequest(route, { path, values }));
    assert.ok(Buffer.byteLength(longest) < route.limits.requestBytes);
  }
});
