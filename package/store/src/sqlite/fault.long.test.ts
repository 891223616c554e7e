import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openSqliteStore } from './store.ts';

const root = await mkdtemp(join(tmpdir(), 'spike-store-'));
after(async () => rm(root, { recursive: true }));

const script = fileURLToPath(new URL('./testing/limited.ts', import.meta.url));
const stepBytes = 4096;
const steps = 80;

test('wherever the disk refuses a write, a commit is there whole or not at all, and the store works again after', async () => {
  const signal = AbortSignal.timeout(600_000);
  const seen = new Set<string>();
  for (let step = 1; step <= steps; step++) {
    const directory = join(root, `${step}`);
    const limit = step * stepBytes - (step % 3) * 100;
    const child = spawnSync(
      'env',
      ['prlimit', `--fsize=${limit}:unlimited`, process.execPath, script, directory],
      {
        encoding: 'utf8',
        timeout: 60_000,
        // The limit would end the child when Node writes its compile cache at the very end, with no listener left.
        env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' },
      },
    );
    const said = child.stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split(' '));
    assert.equal(child.status, 0, child.stderr);
    await using store = await openSqliteStore({ directory, signal });
    assert.deepEqual((await store.verify(signal)).problems, []);
    for (const [word = '', name = ''] of said) {
      seen.add(word);
      if (word === 'refused') continue;
      const [a, b] = await Promise.all(
        ['a', 'b'].map(async (half) => store.get('secret', Buffer.from(half + name))),
      );
      assert.equal(a === undefined, b === undefined, `${name} is there half, limit ${limit}`);
      if (word === 'done') assert.ok(a, `${name} was acknowledged and is lost, limit ${limit}`);
      else if (word === 'none')
        assert.equal(a, undefined, `${name} was refused and is there, limit ${limit}`);
      else assert.equal(word, 'unknown');
    }
    if (said[0]?.[0] !== 'refused') assert.deepEqual(said.at(-1), ['done', 'again'], `limit ${limit}`);
  }
  for (const word of ['refused', 'done', 'unknown']) assert.ok(seen.has(word), `no step ended with ${word}`);
});
