import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readList } from './list.ts';

/** Answers these pages, one for each call, and writes down what it was asked. */
function listerOf(pages: readonly (readonly string[])[]) {
  const asked: unknown[] = [];
  return {
    asked,
    call: {},
    client: {
      listSecrets: (request: { readonly cursor?: string | undefined }) => {
        const at = Number(request.cursor ?? 0);
        asked.push(request);
        const next = at + 1 < pages.length ? { cursor: String(at + 1) } : {};
        return Promise.resolve({ keys: [...(pages[at] ?? [])], ...next });
      },
    },
  };
}

test('a list goes on behind an empty page, and ends where as many are there as were wanted', async () => {
  const wanted = { prefix: 'a', recursive: false };
  const lister = listerOf([[], ['ab', 'aa/'], [], ['a', 'aa/'], ['ac']]);
  assert.deepEqual(await readList(lister, wanted), ['a', 'aa/', 'ab', 'ac']);
  assert.deepEqual(lister.asked, [
    { ...wanted, limit: 1000 },
    ...['1', '2', '3', '4'].map((cursor) => ({ ...wanted, limit: 1000, cursor })),
  ]);
  const short = listerOf([[], ['ab', 'aa/'], ['ac']]);
  assert.deepEqual(await readList(short, wanted, 2), ['aa/', 'ab']);
  assert.equal(short.asked.length, 2);
});
