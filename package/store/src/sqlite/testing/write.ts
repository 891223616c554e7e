import { writeSync } from 'node:fs';
import { toSealed } from '../../seal.ts';
import { makePut } from '../../suite.ts';
import { openSqliteStore } from '../store.ts';

/** Writes pairs of rows until it is killed, and says on standard output which of them were acknowledged. */
const [directory = '', round = ''] = process.argv.slice(2);
const store = await openSqliteStore({ directory, signal: AbortSignal.timeout(60_000) });
writeSync(1, 'open\n');
await Promise.all(
  Array.from({ length: 8 }, async (_, writer) => {
    for (let index = 0; ; index++) {
      const name = `${round}/${writer}/${index}`;
      const body = toSealed(Buffer.alloc(1 + ((index * 997) % 20_000), name));
      const result = await store.commit([
        makePut(`a${name}`, { body, revision: index }, 'absent'),
        makePut(`b${name}`, { body, revision: index }, 'absent'),
      ]);
      if (!result.ok) throw new Error('a key was there before');
      writeSync(1, `${name}\n`);
    }
  }),
);
