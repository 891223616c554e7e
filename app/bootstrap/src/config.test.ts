import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from './config.ts';

const keepers = 'https://127.0.0.1:1,https://127.0.0.1:2,https://127.0.0.1:3';

test('the Keepers are taken in their order, which gives each its share', () => {
  const config = parseConfig({ SPIKE_NEXUS_KEEPER_PEERS: keepers });
  assert.deepEqual(
    config.keeperUrls.map(({ port }) => port),
    ['1', '2', '3'],
  );
  assert.equal(config.threshold, 2);
  assert.equal(config.timeoutMs, 120_000);
  assert.equal(config.nexusUrl.href, 'https://localhost:8553/');
});

test('another number of Keepers than of shares, and a threshold above it, are refused', () => {
  assert.throws(() => parseConfig({}), {
    code: 'config_invalid',
    message: /SPIKE_NEXUS_KEEPER_PEERS wants as many/,
  });
  assert.throws(() => parseConfig({ SPIKE_NEXUS_KEEPER_PEERS: keepers, SPIKE_NEXUS_SHAMIR_THRESHOLD: '4' }), {
    code: 'config_invalid',
    message: /SPIKE_NEXUS_SHAMIR_THRESHOLD wants a whole number from 1 to 3/,
  });
  assert.throws(() => parseConfig({ SPIKE_NEXUS_KEEPER_PEERS: keepers.replaceAll('https', 'http') }), {
    message: /wants URLs such as https/,
  });
});
