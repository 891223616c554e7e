import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { EnvironmentReader } from './environment.ts';

const parse = (text: string): string => {
  if (text === 'Bad') throw new TypeError('not a trust domain');
  return text;
};

test('an empty environment gives the defaults', () => {
  const read = new EnvironmentReader({});
  assert.deepEqual(read.listen('SPIKE_NEXUS_TLS_PORT'), { host: '127.0.0.1', port: 8553 });
  assert.equal(read.integer('SPIKE_NEXUS_SHAMIR_SHARES', { min: 1, max: 255 }), 3);
  assert.deepEqual(read.trustRoots('SPIKE_TRUST_ROOT_NEXUS', parse), ['spike.ist']);
  read.finish();
});

test('a role without its own trust roots falls back to SPIKE_TRUST_ROOT', () => {
  const read = new EnvironmentReader({ SPIKE_TRUST_ROOT: 'a.org', SPIKE_TRUST_ROOT_PILOT: 'b.org, c.org' });
  assert.deepEqual(read.trustRoots('SPIKE_TRUST_ROOT_NEXUS', parse), ['a.org']);
  assert.deepEqual(read.trustRoots('SPIKE_TRUST_ROOT_PILOT', parse), ['b.org', 'c.org']);
});

test('all problems are told at once, by name and rule, and no value is repeated', () => {
  const read = new EnvironmentReader({
    SPIKE_NEXUS_SHAMIR_SHARES: 'hunter2',
    SPIKE_NEXUS_LEASE_TTL: 'hunter2',
    SPIKE_NEXUS_KEEPER_PEERS: 'https://a:1,,http://hunter2',
    SPIKE_NEXUS_TLS_PROT: 'x',
    SPIKE_SOMETHING_ELSE: 'x',
  });
  read.integer('SPIKE_NEXUS_SHAMIR_SHARES', { min: 1, max: 255 });
  read.durationMs('SPIKE_NEXUS_LEASE_TTL', { minMs: 1, maxMs: 10 });
  read.httpsUrls('SPIKE_NEXUS_KEEPER_PEERS');
  assert.throws(
    () => read.finish(),
    (error: unknown) => {
      assert(error instanceof SpikeError);
      assert.equal(error.code, 'config_invalid');
      assert.match(error.message, /SPIKE_NEXUS_TLS_PROT is not a setting; did you mean SPIKE_NEXUS_TLS_PORT/);
      assert.match(error.message, /SHAMIR_SHARES wants a whole number/);
      assert.match(error.message, /LEASE_TTL wants a duration/);
      assert.match(error.message, /KEEPER_PEERS has an empty entry/);
      assert.doesNotMatch(error.message, /hunter2|SOMETHING_ELSE/);
      return true;
    },
  );
});

test('a listen address is HOST:PORT, and a missing host is every interface', () => {
  const read = new EnvironmentReader({ SPIKE_NEXUS_TLS_PORT: ':8553', SPIKE_KEEPER_TLS_PORT: '[::1]:0' });
  assert.deepEqual(read.listen('SPIKE_NEXUS_TLS_PORT'), { host: '::', port: 8553 });
  assert.deepEqual(read.listen('SPIKE_KEEPER_TLS_PORT'), { host: '::1', port: 0 });
  const bad = new EnvironmentReader({ SPIKE_NEXUS_TLS_PORT: '8553' });
  bad.listen('SPIKE_NEXUS_TLS_PORT');
  assert.throws(() => bad.finish(), /wants HOST:PORT/);
});

test('a trust root that does not parse is a problem like any other', () => {
  const read = new EnvironmentReader({ SPIKE_TRUST_ROOT_NEXUS: 'a.org,Bad' });
  assert.deepEqual(read.trustRoots('SPIKE_TRUST_ROOT_NEXUS', parse), ['a.org']);
  assert.throws(() => read.finish(), {
    code: 'config_invalid',
    message: /TRUST_ROOT_NEXUS wants trust domains/,
  });
});
