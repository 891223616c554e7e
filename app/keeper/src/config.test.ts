import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from './config.ts';

const toNames = (domains: readonly { readonly name: string }[]): string[] => domains.map(({ name }) => name);

test('a Keeper listens on loopback, believes spike.ist and offers no classical key exchange unless told otherwise', () => {
  const config = parseConfig({});
  assert.deepEqual(config.listen, { host: '127.0.0.1', port: 8443 });
  const { nexus, keeper, bootstrap } = config.trustRoots;
  assert.deepEqual(toNames([...nexus, ...keeper, ...bootstrap]), ['spike.ist', 'spike.ist', 'spike.ist']);
  assert.equal(config.classical, false);
});

test('the trust root of a role comes before the one of all roles', () => {
  const { trustRoots } = parseConfig({
    SPIKE_TRUST_ROOT: 'a.example',
    SPIKE_TRUST_ROOT_NEXUS: 'b.example,c.example',
  });
  assert.deepEqual(toNames(trustRoots.nexus), ['b.example', 'c.example']);
  assert.deepEqual(toNames(trustRoots.bootstrap), ['a.example']);
});

test('all that is wrong is told at once', () => {
  assert.throws(() => parseConfig({ SPIKE_KEEPER_TLS_PORT: 'x', SPIKE_TLS_CLASSICAL: 'maybe' }), {
    code: 'config_invalid',
    message: /SPIKE_KEEPER_TLS_PORT.*SPIKE_TLS_CLASSICAL/,
  });
});
