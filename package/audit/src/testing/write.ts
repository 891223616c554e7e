import { writeSync } from 'node:fs';
import { AuditFile } from '../file.ts';

/** Appends until it is killed, and says on standard output which sequences were acknowledged. */
const [directory = '', round = ''] = process.argv.slice(2);
const file = await AuditFile.open({ directory, syncMs: 20, signal: AbortSignal.timeout(60_000) });
await Promise.all(
  Array.from({ length: 8 }, async (_, writer) => {
    for (let index = 0; ; index++) {
      const name = `${round}/${writer}/${index}`;
      const padding = 'x'.repeat((index * 997) % 9_000);
      const { sequence } = await file.append(`"name":${JSON.stringify(name)},"padding":"${padding}"}`);
      writeSync(1, `${sequence} ${name}\n`);
    }
  }),
);
