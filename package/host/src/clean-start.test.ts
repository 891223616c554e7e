import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findForeign } from './clean-start.ts';

test('what Node, OpenSSL and libuv read is found, and nothing else', () => {
  const foreign = [
    'NODE_OPTIONS',
    'NODE_DEBUG',
    'NODE_TLS_REJECT_UNAUTHORIZED',
    'NODE_COMPILE_CACHE',
    'NODE_USE_SYSTEM_CA',
    'OPENSSL_CONF',
    'OPENSSL_MODULES',
    'SSL_CERT_FILE',
    'SSLKEYLOGFILE',
    'UV_THREADPOOL_SIZE',
  ];
  const kept = [
    'PATH',
    'NODE_ENV',
    'NODE_EXTRA_CA_CERTS',
    'SPIKE_HOME',
    'SPIFFE_ENDPOINT_SOCKET',
    'MY_NODE_X',
  ];
  const env = Object.fromEntries([...kept, ...foreign].map((name) => [name, '1']));
  assert.deepEqual(findForeign(env), foreign);
  assert.deepEqual(findForeign({ PATH: '/bin' }), []);
});
