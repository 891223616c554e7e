import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtempDisposable, readFile, rm, rmdir } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SpikeError } from '@spike/error';
import { createLog } from '@spike/log';
import { SpiffeBundle } from '@spike/spiffe';
import { TestDomain } from '@spike/spiffe/testing';
import { Federation } from './federation.ts';
import { Pulse } from './pulse.ts';

const own = new TestDomain('here.test').bundle;
const there = new TestDomain('there.test');
const trustDomain = 'there.test';
const bundleOf = (sequence: bigint): string =>
  new SpiffeBundle(there.trustDomain, {
    x509Authorities: there.bundle.authorities,
    sequence,
    refreshHintSec: 3600,
  }).marshal();

async function until(condition: () => boolean): Promise<void> {
  const signal = AbortSignal.timeout(10_000);
  while (!condition()) {
    signal.throwIfAborted();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** What the authority keeps of other trust domains, in a directory of its own. */
async function openState() {
  await using stack = new AsyncDisposableStack();
  const directory = stack.use(await mkdtempDisposable(join(tmpdir(), 'spike-federation-')));
  const file = join(directory.path, 'federation.json');
  const open = (): Promise<Federation> =>
    Federation.open({
      directory: directory.path,
      own,
      changed: new Pulse(),
      log: createLog({ component: 'test', level: 'error', write: () => undefined }),
      signal: new AbortController().signal,
    });
  const federation = stack.use(await open());
  const owned = stack.move();
  return {
    federation,
    open,
    file,
    /** Nothing can be written where a directory is in the way. */
    block: async () => {
      await rm(file, { force: true });
      await mkdir(file);
    },
    unblock: () => rmdir(file),
    saved: async (): Promise<unknown> => JSON.parse(await readFile(file, 'utf8')).relationships,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** An endpoint that answers when a test says so. */
async function openHeld() {
  const waiting: ServerResponse[] = [];
  const server = createServer(there.issue('/endpoint').toPem(), (_request, response) => {
    waiting.push(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return {
    endpoint: {
      profile: 'https_spiffe',
      url: `https://127.0.0.1:${address.port}/`,
      spiffeId: 'spiffe://there.test/endpoint',
    } as const,
    isAsked: () => until(() => waiting.length > 0),
    answer: (text: string) => waiting.splice(0).forEach((response) => response.end(text)),
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

test('a deletion that could not be saved is believed at once, and saved when it is asked for again', async () => {
  await using state = await openState();
  const { federation } = state;
  await federation.set({ trustDomain, bundle: bundleOf(1n) });
  await state.block();
  await assert.rejects(federation.delete(trustDomain));
  assert.deepEqual(federation.bundlesOf([trustDomain]), []);
  await assert.rejects(federation.delete(trustDomain), (error) => {
    return !(error instanceof SpikeError && error.code === 'api_not_found');
  });
  await state.unblock();
  await federation.delete(trustDomain);
  assert.deepEqual(await state.saved(), []);
  await using again = await state.open();
  assert.deepEqual(again.list(), []);
  const unknown = { code: 'api_not_found' };
  await assert.rejects(federation.delete(trustDomain), unknown);
  await assert.rejects(federation.delete('other.test'), unknown);
});

test('a relationship that could not be saved is as it was before', async () => {
  await using held = await openHeld();
  await using state = await openState();
  const { federation } = state;
  await federation.set({ trustDomain, bundle: bundleOf(1n), endpoint: held.endpoint });
  await held.isAsked();
  await state.block();
  await assert.rejects(federation.set({ trustDomain, bundle: bundleOf(5n) }));
  await assert.rejects(federation.set({ trustDomain: 'other.test', bundle: '{"keys":[]}' }));
  const [known, ...others] = federation.list();
  assert.deepEqual([known?.sequence, known?.endpoint, others], ['1', held.endpoint, []]);
  await state.unblock();
  // It is still followed.
  await until(() => {
    held.answer(bundleOf(2n));
    return federation.list()[0]?.sequence === '2';
  });
});

test('what the endpoint of before says does not take the place of what was set', async () => {
  await using held = await openHeld();
  for (let round = 0; round < 10; round++) {
    await using state = await openState();
    const { federation } = state;
    await federation.set({ trustDomain, bundle: bundleOf(1n), endpoint: held.endpoint });
    await held.isAsked();
    held.answer(bundleOf(2n));
    await federation.set({ trustDomain, bundle: bundleOf(9n) });
    await federation[Symbol.asyncDispose]();
    assert.deepEqual(await state.saved(), [{ trustDomain, bundle: bundleOf(9n) }]);
    held.answer('');
  }
});

test('a bundle that nobody could be verified with is refused', async () => {
  await using state = await openState();
  const jwtAuthorities = Array.from({ length: 257 }, (_, i) => ({ keyId: String(i), jwk: { kty: 'EC' } }));
  const bundle = new SpiffeBundle(there.trustDomain, { jwtAuthorities }).marshal();
  await assert.rejects(state.federation.set({ trustDomain, bundle }), { code: 'bundle_invalid' });
  assert.deepEqual(state.federation.list(), []);
});
