// npm run build: one executable for each part, the list of what is in them, and their checksums. `-- DIRECTORY` puts them
// there instead of into dist/, `-- --only NAME` builds one of them alone.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { writeBill } from './build/bill.ts';
import { buildExecutable, executables, type Executable } from './build/executable.ts';
import { root } from './step.ts';

const bill = 'spike.cdx.json';
const sums = 'SHA256SUMS';

const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true });
const directory = resolve(positionals[0] ?? join(root, 'dist'));
const wanted = executables.filter((name) => values.only === undefined || values.only === name);
if (wanted.length === 0)
  throw new Error(`there is no executable ${values.only} (there are ${executables.join(', ')})`);
await mkdir(directory, { recursive: true });
for (const name of [...executables, bill, sums]) await rm(join(directory, name), { force: true });
const built = await Promise.all(wanted.map(build));
await writeFile(join(directory, bill), await writeBill(built));
const lines = [...wanted, bill]
  .toSorted()
  .map(async (name) => `${await hashFile(join(directory, name))}  ${name}\n`);
await writeFile(join(directory, sums), (await Promise.all(lines)).join(''));
process.stdout.write(`${join(directory, sums)}\n`);

async function build(name: string): Promise<Executable> {
  const started = performance.now();
  const executable = await buildExecutable(name, directory);
  process.stdout.write(`${join(directory, name)} (${((performance.now() - started) / 1000).toFixed(1)} s)\n`);
  return executable;
}

async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}
