import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfig } from './config.ts';

const keepers = 'https://127.0.0.1:1,https://127.0.0.1:2,https://127.0.0.1:3';

test('the defaults listen on loopback and keep audit and anchor outside of the store', () => {
  const config = parseConfig({ SPIKE_HOME: '/h', SPIKE_NEXUS_KEEPER_PEERS: keepers });
  assert.equal(config.listen.host, '127.0.0.1');
  assert.deepEqual(config.store, { kind: 'sqlite', directory: '/h/nexus/data' });
  assert.equal(config.auditDirectory, '/h/nexus/audit');
  assert.equal(config.probeMs, 5000);
});

test('a setting that would put safety aside is refused', () => {
  const base = { SPIKE_HOME: '/h', SPIKE_NEXUS_KEEPER_PEERS: keepers };
  const refused: readonly [Record<string, string>, RegExp][] = [
    [{ SPIKE_NEXUS_AUDIT_DIR: '/h/nexus/data/audit' }, /AUDIT_DIR must lie outside/],
    [{ SPIKE_NEXUS_ANCHOR_FILE: '/h/nexus/data/../data/anchor' }, /ANCHOR_FILE must lie outside/],
    [{ SPIKE_NEXUS_HEALTH_PORT: ':8554' }, /HEALTH_PORT must be on loopback/],
    [{ SPIKE_NEXUS_KEEPER_PEERS: 'https://127.0.0.1:1' }, /as many Keepers/],
    [{ SPIKE_NEXUS_SHAMIR_THRESHOLD: '4' }, /THRESHOLD wants a whole number from 1 to 3/],
    [{ SPIKE_NEXUS_KEEPER_PEERS: keepers.replaceAll('https', 'http') }, /KEEPER_PEERS wants URLs/],
  ];
  for (const [extra, message] of refused) {
    assert.throws(() => parseConfig({ ...base, ...extra }), { code: 'config_invalid', message });
  }
  assert.equal(parseConfig({ SPIKE_HOME: '/h', SPIKE_NEXUS_BACKEND_STORE: 'MEMORY' }).store.kind, 'memory');
});
