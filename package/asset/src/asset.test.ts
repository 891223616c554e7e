import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { readAsset, startThread } from './index.ts';

test('from source an asset is the file beside the code', async () => {
  assert.match(
    await readAsset(new URL('./testing/double.ts', import.meta.url)),
    /^\/\/ A thread for the test/,
  );
  // Of an executable, which this process is not.
  await assert.rejects(readAsset(new URL('asset:package/asset/src/x.txt')), {
    code: 'ERR_NOT_IN_SINGLE_EXECUTABLE_APPLICATION',
  });
});

test('from source a thread runs its module', async () => {
  const worker = startThread(new URL('./testing/double.ts', import.meta.url), { workerData: 21 });
  assert.deepEqual(await once(worker, 'message'), [42]);
  await worker.terminate();
});
