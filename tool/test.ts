// npm test: one of each kind, within three minutes on two cores. Arguments name files to run instead.
import { findTestFiles } from './test-file.ts';
import { step } from './step.ts';

const named = process.argv.slice(2);
const flags = [...process.execArgv, '--test', '--test-reporter=spec', '--test-timeout=120000'];

async function run(name: string, files: readonly string[], concurrency: number): Promise<boolean> {
  if (files.length === 0) throw new Error(`there is no test of the kind ${name}`);
  return await step(name, process.execPath, [...flags, `--test-concurrency=${concurrency}`, ...files]);
}

const results =
  named.length > 0
    ? [await run('named tests', named, 1)]
    : [
        await run('unit tests', findTestFiles('quick', ['package', 'app', 'example', 'tool']), 2),
        await run('whole system', findTestFiles('quick', ['test']), 2),
      ];
process.exitCode = results.every(Boolean) ? 0 : 1;
