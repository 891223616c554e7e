import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openSqliteStore } from './store.ts';

const root = await mkdtemp(join(tmpdir(), 'spike-store-'));
after(async () => rm(root, { recursive: true }));

test('a process that is killed while it writes loses nothing that was acknowledged and leaves nothing half', async () => {
  const directory = join(root, 'killed');
  const signal = AbortSignal.timeout(60_000);
  const acknowledged: string[] = [];
  for (let round = 0; round < 2; round++) {
    acknowledged.push(...(await writeUntilKilled(directory, round)));
    await using store = await openSqliteStore({ directory, signal });
    assert.equal((await store.verify(signal)).ok, true);
    const names: Record<'a' | 'b', Set<string>> = { a: new Set(), b: new Set() };
    for (const half of ['a', 'b'] as const) {
      for (let cursor: Uint8Array | undefined = Buffer.from(half); cursor !== undefined;) {
        const rows = await store.list('secret', Buffer.from(half), { after: cursor, limit: 500 });
        for (const row of rows) {
          const name = Buffer.from(row.key).toString().slice(1);
          assert.ok(Buffer.from(row.body).toString().startsWith(name.slice(0, row.body.byteLength)));
          names[half].add(name);
        }
        cursor = rows.at(-1)?.key;
      }
    }
    assert.deepEqual(names.a, names.b, 'both rows of a commit or none');
    for (const name of acknowledged) assert.ok(names.a.has(name), `${name} was acknowledged and is lost`);
  }
  assert.ok(acknowledged.length > 50);
});

/** Kills at a random moment after the first acknowledgements; answers the names that were acknowledged. */
async function writeUntilKilled(directory: string, round: number): Promise<string[]> {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('./testing/write.ts', import.meta.url)), directory, `${round}`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let text = '';
  const enough = 100 + Math.floor(Math.random() * 2_000);
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text.length > enough) child.kill('SIGKILL');
  });
  await once(child, 'close');
  assert.equal(child.signalCode, 'SIGKILL');
  return text.split('\n').slice(1, -1);
}
