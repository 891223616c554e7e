import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempDisposable } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { PidHandle } from '@spike/host';
import { createLog } from '@spike/log';
import { CertificateAuthority, TrustDomain } from '@spike/spiffe';
import { PidBinding } from './binding.ts';
import { EntryList } from './entry-list.ts';
import { Federation } from './federation.ts';
import { Operations, type Caller } from './operation.ts';
import { Pulse } from './pulse.ts';
import type { SavedRun } from './state.ts';

/** A process that does nothing, until the end of the test. */
function openSleeper(): Disposable & { readonly caller: Caller } {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  const pid = child.pid ?? 0;
  return {
    caller: { pid, uid: process.getuid?.() ?? 0, openProcess: () => PidHandle.open(pid) },
    [Symbol.dispose]: () => void child.kill('SIGKILL'),
  };
}

test('of two programs that are bound at once, both are on disk whichever write is slower', async () => {
  using first = openSleeper();
  using second = openSleeper();
  using bindings = new DisposableStack();
  const changed = new Pulse();
  const log = createLog({ component: 'test', level: 'error', write: () => undefined });
  await using directory = await mkdtempDisposable(join(tmpdir(), 'spike-operation-'));
  const own = CertificateAuthority.create({ trustDomain: TrustDomain.parse('spike.ist') }).bundle();
  const { signal } = new AbortController();
  await using federation = await Federation.open({ directory: directory.path, own, changed, log, signal });
  const slow = Promise.withResolvers<void>();
  let onDisk: readonly SavedRun[] = [];
  let writes = 0;
  const operations = new Operations({
    trustDomain: TrustDomain.parse('spike.ist'),
    entries: bindings.use(new EntryList({ entries: [], persist: async () => {}, changed })),
    bindings: {
      parts: bindings.use(new PidBinding<string>()),
      runs: bindings.use(new PidBinding<string>()),
    },
    federation,
    bundle: () => assert.fail(),
    changed,
    launcher: undefined,
    onReady: () => undefined,
    persistRuns: async (runs) => {
      if (writes++ === 0) await slow.promise;
      onDisk = runs;
    },
    status: () => assert.fail(),
    log,
  });
  const run = (path: string, { caller }: { caller: Caller }): Promise<unknown> =>
    operations.handlers.run({ spiffeId: `spiffe://spike.ist${path}` }, caller);
  const both = [run('/a', first)];
  while (writes === 0) await new Promise((resolve) => setImmediate(resolve));
  both.push(run('/b', second));
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  slow.resolve();
  await Promise.all(both);
  assert.deepEqual(
    onDisk.map(({ pid }) => pid),
    [first.caller.pid, second.caller.pid],
  );
});
