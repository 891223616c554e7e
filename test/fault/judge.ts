import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { must } from '../interop/build.ts';
import { repository } from '../system.ts';
import type { Operation } from './operation.ts';

const here = join(repository, 'test', 'interop', 'porcupine');

export interface Verdict {
  readonly result: 'ok' | 'bad';
  readonly keys: number;
  readonly operations: number;
  readonly unknown: number;
  /** One sentence for each key whose history no order explains, or whose search took too long. */
  readonly bad: readonly string[];
}

/** The checker of histories, which nobody here wrote, in a directory of the caller. Without Go the test fails. */
export async function buildJudge(directory: string): Promise<string> {
  const needs = 'Go 1.26 or later has to be on the PATH for the tests of faults';
  await must('go', ['version'], here, needs);
  const path = join(directory, 'porcupine');
  await must('go', ['build', '-mod=readonly', '-o', path, '.'], here);
  return path;
}

/**
 * Whether some order of the operations, each within its interval, explains all answers, key by key. The history and
 * pictures of what is wrong are written to the directory.
 */
export async function judge(
  path: string,
  operations: readonly Operation[],
  options: { readonly kept: number; readonly directory: string },
): Promise<Verdict> {
  const history = join(options.directory, 'history.jsonl');
  await writeFile(history, operations.map((one) => `${JSON.stringify(one)}\n`).join(''));
  const said = await must(path, [String(options.kept), options.directory, history], options.directory);
  const verdict = JSON.parse(said) as Verdict;
  assert.equal(verdict.operations, operations.length, 'all of the history was judged');
  return verdict;
}
