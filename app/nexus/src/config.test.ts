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
  assert.equal(config.maxCiphertextBytes, 65_536);
  assert.deepEqual([config.metrics, config.learningMs], [undefined, 86_400_000]);
  assert.deepEqual(config.sinks, { file: undefined, webhook: undefined, command: undefined });
  assert.equal(config.spoolFile, '/h/nexus/spool.jsonl');
  assert.equal(config.agentGraceMs, undefined, 'until the SVID ends');
});

test('a setting that would put safety aside is refused', () => {
  const base = { SPIKE_HOME: '/h', SPIKE_NEXUS_KEEPER_PEERS: keepers };
  const refused: readonly [Record<string, string>, RegExp][] = [
    [{ SPIKE_NEXUS_AUDIT_DIR: '/h/nexus/data/audit' }, /AUDIT_DIR must lie outside/],
    [{ SPIKE_NEXUS_ANCHOR_FILE: '/h/nexus/data/../data/anchor' }, /ANCHOR_FILE must lie outside/],
    [{ SPIKE_NEXUS_HEALTH_PORT: ':8554' }, /HEALTH_PORT must be on loopback/],
    [{ SPIKE_NEXUS_METRICS_PORT: '0.0.0.0:8555' }, /METRICS_PORT must be on loopback/],
    [{ SPIKE_NEXUS_ALERT_WEBHOOK_URL: 'https://x/' }, /WEBHOOK_SECRET_FILE is needed/],
    [{ SPIKE_NEXUS_ALERT_WEBHOOK_URL: 'http://x.example/' }, /WEBHOOK_URL wants an https URL/],
    [{ SPIKE_NEXUS_ALERT_COMMAND: 'page ops' }, /ALERT_COMMAND wants an absolute path/],
    [{ SPIKE_NEXUS_KEEPER_PEERS: 'https://127.0.0.1:1' }, /as many Keepers/],
    [{ SPIKE_NEXUS_SHAMIR_THRESHOLD: '4' }, /THRESHOLD wants a whole number from 1 to 3/],
    [{ SPIKE_NEXUS_CRYPTO_MAX_CIPHERTEXT_SIZE: '524289' }, /MAX_CIPHERTEXT_SIZE wants a whole number/],
    [{ SPIKE_NEXUS_AGENT_GRACE: 'soon' }, /AGENT_GRACE wants a duration/],
    [{ SPIKE_NEXUS_KEEPER_PEERS: keepers.replaceAll('https', 'http') }, /KEEPER_PEERS wants URLs/],
  ];
  for (const [extra, message] of refused) {
    assert.throws(() => parseConfig({ ...base, ...extra }), { code: 'config_invalid', message });
  }
  assert.equal(parseConfig({ SPIKE_HOME: '/h', SPIKE_NEXUS_BACKEND_STORE: 'MEMORY' }).store.kind, 'memory');
});

test('who is lite is asked of its own trust domains, which fall back to the common one', () => {
  const base = { SPIKE_HOME: '/h', SPIKE_NEXUS_KEEPER_PEERS: keepers };
  const liteOf = (extra: Record<string, string>) =>
    parseConfig({ ...base, ...extra }).trustRoots.lite.map(({ name }) => name);
  assert.deepEqual(liteOf({}), ['spike.ist']);
  assert.deepEqual(liteOf({ SPIKE_TRUST_ROOT: 'a.test' }), ['a.test']);
  assert.deepEqual(liteOf({ SPIKE_TRUST_ROOT: 'a.test', SPIKE_TRUST_ROOT_LITE_WORKLOAD: 'b.test' }), [
    'b.test',
  ]);
});
