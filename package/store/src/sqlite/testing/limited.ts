import { spawnSync } from 'node:child_process';
import { writeSync } from 'node:fs';
import { SpikeError } from '@spike/error';
import { toSealed } from '../../seal.ts';
import type { Store } from '../../store.ts';
import { makePut } from '../../suite.ts';
import { openSqliteStore } from '../store.ts';

/**
 * Started with a limit on the size of files (setrlimit, RLIMIT_FSIZE): a write beyond it fails in the kernel, in the
 * middle of whatever SQLite is doing. Says for each commit whether it was acknowledged and, when it failed, what the
 * driver says of it; then lifts the limit and says whether the same store works again.
 */
const [directory = ''] = process.argv.slice(2);
// With a listener the signal that comes with the failed write does not end us.
process.on('SIGXFSZ', () => undefined);

try {
  await using store = await openSqliteStore({ directory, signal: AbortSignal.timeout(30_000) });
  let failures = 0;
  for (let index = 0; index < 60 && failures < 3; index++) {
    if (!(await commitPair(store, `${index}`, (index * 3_001) % 30_000))) failures += 1;
  }
  spawnSync('env', ['prlimit', '--pid', `${process.pid}`, '--fsize=unlimited:unlimited']);
  await commitPair(store, 'again', 30_000);
} catch (error) {
  say('refused', error instanceof SpikeError ? error.code : String(error));
}

async function commitPair(store: Store, name: string, size: number): Promise<boolean> {
  const body = toSealed(new Uint8Array(size));
  try {
    await store.commit([makePut(`a${name}`, { body }), makePut(`b${name}`, { body })]);
    say('done', name);
    return true;
  } catch (error) {
    say(error instanceof SpikeError ? String(error.detail['outcome']) : String(error), name);
    return false;
  }
}

function say(word: string, name: string): void {
  writeSync(1, `${word} ${name}\n`);
}
