import assert from 'node:assert/strict';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { ChildEnvironment, startChild } from './index.ts';

const env = {
  PATH: '/usr/bin:/bin',
  HOME: '/home/ann',
  LESS: 'FRX',
  SPIKE_TOKEN: 'spk_a_token',
  SPIKE_NEXUS_ALERT_WEBHOOK_URL: 'https://hook.example/secret',
  SPIKE_OF_A_RELEASE_TO_COME: 'a secret',
  SPIFFE_ENDPOINT_SOCKET: 'unix:///run/agent.sock',
  EMPTY: undefined,
};

/** What a program that was started with it sees. */
async function seenBy(environment: ChildEnvironment): Promise<Record<string, unknown>> {
  const child = startChild(process.execPath, ['-p', 'JSON.stringify(process.env)'], {
    environment,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end();
  const [seen] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return JSON.parse(seen) as Record<string, unknown>;
}

test('a program of the person gets their environment without anything of ours', async () => {
  const { PATH, HOME, LESS, SPIFFE_ENDPOINT_SOCKET } = env;
  assert.deepEqual(await seenBy(ChildEnvironment.ofPerson(env)), {
    PATH,
    HOME,
    LESS,
    SPIFFE_ENDPOINT_SOCKET,
  });
});

test('a part of SPIKE gets the settings and no token', async () => {
  const { SPIKE_TOKEN: _token, EMPTY: _empty, ...settings } = env;
  assert.deepEqual(await seenBy(ChildEnvironment.ofPart(env)), settings);
});

test('a script gets three variables, a command one, and an inspector none', async () => {
  assert.deepEqual(await seenBy(ChildEnvironment.basics(env)), { PATH: env.PATH, HOME: env.HOME });
  assert.deepEqual(await seenBy(ChildEnvironment.searchPath), { PATH: '/usr/local/bin:/usr/bin:/bin' });
  assert.deepEqual(await seenBy(ChildEnvironment.none), {});
});
