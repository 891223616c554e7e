import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatResponse, parseRequest } from '../codec.ts';
import { nexusTable } from '../table.ts';

const { putPolicy, getPolicy, deletePolicy, listPolicies } = nexusTable;

test('a policy is put with the names of the original, and what is left out is empty', () => {
  const whole = { name: 'p', spiffeidPattern: 's', pathPattern: 'q', permissions: ['read'] };
  assert.deepEqual(parseRequest(putPolicy, whole), whole);
  const empty = { name: 'p', spiffeidPattern: '', pathPattern: '', permissions: [] };
  assert.deepEqual(parseRequest(putPolicy, { name: 'p' }), empty);
  const nulls = { name: 'p', spiffeidPattern: null, pathPattern: null, permissions: null, id: 'x' };
  assert.deepEqual(parseRequest(putPolicy, nulls), empty);
});

test('a policy name and the id of get and delete have 1 to 250 letters, digits, spaces, hyphens and underscores', () => {
  for (const name of [
    'a',
    'A z_0-',
    'a'.repeat(250),
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
  ]) {
    assert.equal(parseRequest(putPolicy, { name }).name, name);
    assert.equal(parseRequest(getPolicy, { id: name }).id, name);
    assert.equal(parseRequest(deletePolicy, { id: name }).id, name);
  }
  for (const name of ['', 'a'.repeat(251), 'a/b', 'a.b', 'a\n', 'é', 'a\0', 7, {}, [], true]) {
    const refused = { code: 'api_bad_request' };
    assert.throws(() => parseRequest(putPolicy, { name }), refused, JSON.stringify(name));
    assert.throws(() => parseRequest(getPolicy, { id: name }), refused, JSON.stringify(name));
    assert.throws(() => parseRequest(deletePolicy, { id: name }), refused, JSON.stringify(name));
  }
});

test('a field has the name that is written, in its case', () => {
  for (const fields of [{ name: 'p' }, { Id: 'p' }, { ID: 'p' }, {}]) {
    assert.throws(() => parseRequest(getPolicy, fields), { code: 'api_bad_request' });
  }
  const input = parseRequest(putPolicy, { name: 'p', PathPattern: 'a', spiffeIdPattern: 'b' });
  assert.deepEqual([input.pathPattern, input.spiffeidPattern], ['', '']);
});

test('patterns are texts of bounded length, permissions a list of at most 100 short texts', () => {
  const put = (change: object) => () => parseRequest(putPolicy, { name: 'p', ...change });
  assert.equal(put({ pathPattern: 'a'.repeat(500) })().pathPattern.length, 500);
  assert.equal(put({ spiffeidPattern: 'a'.repeat(4096) })().spiffeidPattern.length, 4096);
  assert.equal(put({ permissions: Array.from({ length: 100 }, () => 'read') })().permissions.length, 100);
  for (const bad of [
    { pathPattern: 'a'.repeat(501) },
    { spiffeidPattern: 'a'.repeat(4097) },
    { permissions: Array.from({ length: 101 }, () => 'read') },
    { permissions: ['r'.repeat(33)] },
    { permissions: 'read' },
    { permissions: [1] },
    { pathPattern: ['a'] },
  ]) {
    assert.throws(put(bad), { code: 'api_bad_request' });
  }
});

test('the filters of the list may be left out, empty or null', () => {
  const none = { spiffeidPattern: '', pathPattern: '' };
  assert.deepEqual(parseRequest(listPolicies, {}), none);
  assert.deepEqual(parseRequest(listPolicies, { spiffeidPattern: null, pathPattern: '' }), none);
  assert.equal(parseRequest(listPolicies, { pathPattern: 'a' }).pathPattern, 'a');
});

test('a policy is shown with an empty id, the spelling of the original, and times of RFC 3339', () => {
  const time = '2026-01-02T03:04:05.678Z';
  const shown = {
    id: '',
    name: 'p',
    spiffiedPattern: 's',
    pathPattern: 'q',
    permissions: ['read'],
    createdAt: time,
    updatedAt: time,
  };
  assert.deepEqual(formatResponse(getPolicy, shown), shown);
  assert.deepEqual(formatResponse(listPolicies, { policies: [{ id: '', name: 'p' }] }), {
    policies: [{ id: '', name: 'p' }],
  });
});

test('a refusal has the empty fields of its route', () => {
  const zero = '0001-01-01T00:00:00Z';
  assert.deepEqual(putPolicy.error.zero, {});
  assert.deepEqual(deletePolicy.error.zero, {});
  assert.deepEqual(listPolicies.error.zero, { policies: null });
  assert.deepEqual(getPolicy.error.zero, {
    id: '',
    name: '',
    spiffiedPattern: '',
    pathPattern: '',
    permissions: null,
    createdAt: zero,
    updatedAt: zero,
  });
});
