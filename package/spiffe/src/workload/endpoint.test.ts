import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpiffeError } from '../error.ts';
import { endpointFromEnvironment, parseEndpoint, resolveEndpoint } from './endpoint.ts';

const refused = (error: unknown): boolean =>
  error instanceof SpiffeError && error.code === 'endpoint_invalid';

test('C-1 without an endpoint the value of SPIFFE_ENDPOINT_SOCKET counts, with one it does not', () => {
  const env = { SPIFFE_ENDPOINT_SOCKET: 'unix:///run/a.sock' };
  assert.deepEqual(resolveEndpoint({ env }), { kind: 'unix', path: '/run/a.sock' });
  assert.deepEqual(resolveEndpoint({ env, endpoint: 'unix:///run/b.sock' }), {
    kind: 'unix',
    path: '/run/b.sock',
  });
  assert.equal(endpointFromEnvironment(env), 'unix:///run/a.sock');
});

test('C-1 an environment without the variable is said to be so', () => {
  assert.throws(() => endpointFromEnvironment({}), /SPIFFE_ENDPOINT_SOCKET is not set/);
  assert.throws(() => endpointFromEnvironment({ SPIFFE_ENDPOINT_SOCKET: '' }), refused);
  assert.throws(() => endpointFromEnvironment({ SPIFFE_ENDPOINT_SOCKET: 'run/a.sock' }), refused);
});

test('C-2 unix: takes an absolute path, with or without an empty authority', () => {
  assert.deepEqual(parseEndpoint('unix:///run/a.sock'), { kind: 'unix', path: '/run/a.sock' });
  assert.deepEqual(parseEndpoint('unix:/run/a.sock'), { kind: 'unix', path: '/run/a.sock' });
  assert.deepEqual(parseEndpoint('unix:///run/a%20b.sock'), { kind: 'unix', path: '/run/a b.sock' });
});

test('C-2 unix: refuses an authority, a relative path and every other component', () => {
  const wrong = [
    'unix:',
    'unix:a.sock',
    'unix:./a.sock',
    'unix://a.sock',
    'unix://host/a.sock',
    'unix://user@/a.sock',
    'unix:////host/a.sock',
    'unix:///',
    'unix:///a?x=1',
    'unix:///a#b',
    'unix:///a%00b',
    'unix:///a%zz',
    `unix:///${'a'.repeat(120)}`,
  ];
  for (const text of wrong) assert.throws(() => parseEndpoint(text), refused, text);
});

test('C-2 tcp: takes an IP address and a port', () => {
  assert.deepEqual(parseEndpoint('tcp://127.0.0.1:8000'), { kind: 'tcp', host: '127.0.0.1', port: 8000 });
  assert.deepEqual(parseEndpoint('tcp://[::1]:8000'), { kind: 'tcp', host: '::1', port: 8000 });
});

test('C-2 tcp: refuses a name, a missing port and every other component', () => {
  const wrong = [
    'tcp:127.0.0.1:8000',
    'tcp://127.0.0.1',
    'tcp://localhost:8000',
    'tcp://127.0.0.1:0',
    'tcp://127.0.0.1:65536',
    'tcp://127.0.0.1:8000/',
    'tcp://127.0.0.1:8000?x',
    'tcp://127.0.0.1:8000#x',
    'tcp://user@127.0.0.1:8000',
    'tcp://1.2.3:8000',
    'tcp://::1:8000',
    'tcp://[127.0.0.1]:8000',
  ];
  for (const text of wrong) assert.throws(() => parseEndpoint(text), refused, text);
});

test('C-2 other schemes are refused', () => {
  for (const text of ['', 'http://127.0.0.1:80', '/run/a.sock', 'UNIX:///run/a.sock', ' unix:///a']) {
    assert.throws(() => parseEndpoint(text), refused, text);
  }
});
