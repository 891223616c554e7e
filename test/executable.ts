import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, globSync } from 'node:fs';
import { mkdir, readdir, readFile, realpath, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { openFileLock, programs } from '@spike/host';
import { repository, runProgram, until } from './system.ts';

export type ExecutableName = (typeof programs)[keyof typeof programs]['executable'];

/** On a machine that does much else besides; alone it takes a tenth of it. */
const buildMs = 300_000;
const cache = join(repository, 'node_modules', '.cache', 'executable');
/** What the executables are made of, and how. */
const sources = [
  'package.json',
  'package-lock.json',
  'bin/runtime.mjs',
  'tool/build.ts',
  'tool/build/**/*.*',
  '{app,package}/*/package.json',
  '{app,package}/*/src/**/*.*',
];
const forTests = /\.test\.ts$|\/testing\//;

let built: Promise<string> | undefined;

/**
 * The directory in which `npm run build` put the executables of these sources, with the list of what is in them and
 * their checksums. The first test file that asks builds, and all others wait for it; they stay until a source changes.
 */
export async function buildExecutables(): Promise<string> {
  built ??= build();
  return await built;
}

/** The path of one of them. */
export async function executableOf(name: ExecutableName): Promise<string> {
  return join(await buildExecutables(), name);
}

async function build(): Promise<string> {
  await mkdir(cache, { recursive: true });
  const key = await digestOfSources();
  // As /proc/PID/exe says it.
  const directory = join(await realpath(cache), key);
  using _lock = await until(
    'no other test builds the executables',
    () => openFileLock(join(cache, 'lock')),
    buildMs,
  );
  if (existsSync(directory)) return directory;
  for (const name of await readdir(cache))
    if (name !== 'lock') await rm(join(cache, name), { recursive: true });
  const partial = `${directory}.partial`;
  const command = [join(repository, 'bin', 'setup.mjs'), 'build', partial];
  const { code, stderr } = await runProgram(process.execPath, command, { deadlineMs: buildMs });
  assert.equal(code, 0, stderr);
  await rename(partial, directory);
  return directory;
}

async function digestOfSources(): Promise<string> {
  const hash = createHash('sha256');
  const files = globSync(sources, { cwd: repository }).filter((file) => !forTests.test(file));
  for (const file of files.toSorted()) {
    const text = await readFile(join(repository, file));
    hash.update(`${file}\0${text.length}\0`).update(text);
  }
  return hash.digest('hex').slice(0, 16);
}
