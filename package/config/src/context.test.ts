import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { contextVariables, readContext, writeContext, type Context } from './context.ts';
import { homeOf } from './home.ts';

const context: Context = {
  launcherPid: 1,
  trustDomain: 'spike.ist',
  endpointSocket: 'unix:///x/api.sock',
  adminSocket: '/x/admin.sock',
  nexusUrl: 'https://127.0.0.1:1',
  healthUrl: 'http://127.0.0.1:2',
  keeperUrls: ['https://127.0.0.1:3', 'https://127.0.0.1:4'],
  recoveryFile: true,
};

test('a context is read back as it was written, and a foreign file is refused', async () => {
  const root = await mkdtemp(join(tmpdir(), 'spike-context-'));
  try {
    const home = homeOf({ SPIKE_HOME: root });
    assert.equal(await readContext(home), undefined);
    await writeContext(home, context);
    assert.deepEqual(await readContext(home), context);
    assert.equal(contextVariables(home, context)['SPIKE_NEXUS_KEEPER_PEERS'], context.keeperUrls.join(','));
    await writeFile(home.contextFile, '{"version":2}');
    await assert.rejects(readContext(home), { code: 'config_invalid' });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});

test('a home whose path is too long for a socket keeps its sockets in a short directory of its own', () => {
  const long = homeOf({ SPIKE_HOME: `/tmp/${'x'.repeat(120)}` });
  const other = homeOf({ SPIKE_HOME: `/tmp/${'y'.repeat(120)}` });
  assert(Buffer.byteLength(long.agentSocket) < 104);
  assert.notEqual(long.agentSocket, other.agentSocket);
  assert.equal(homeOf({ SPIKE_HOME: '/tmp/a' }).agentSocket, '/tmp/a/run/agent/api.sock');
});
