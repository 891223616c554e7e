// npm test: one of each kind, within three minutes on two cores. Arguments name files to run instead.
import { matchesGlob } from 'node:path';
import { findTestFiles } from './test-file.ts';
import { step } from './step.ts';

const named = process.argv.slice(2);
const flags = [...process.execArgv, '--test', '--test-reporter=spec', '--test-timeout=120000'];

async function run(name: string, files: readonly string[], concurrency: number): Promise<boolean> {
  if (files.length === 0) throw new Error(`there is no test of the kind ${name}`);
  return await step(name, process.execPath, [...flags, `--test-concurrency=${concurrency}`, ...files]);
}

/**
 * Tests of rules alone, which start nothing and wait for nothing: one process for all, since loading their modules takes
 * four times as long as the tests do. Whatever else lies below these folders has to be as pure.
 */
const pure = [
  'app/pilot/',
  'app/nexus/src/{admin,alert,approval,book,breakglass,denial,history,metric,policy,service,vault}/',
  'package/{asset,backup,config,contract,crypto,error,log,recovery,registry}/',
  'package/spiffe/src/{bundle,ca,id,jwt,testing,x509}/',
  'package/server/src/guard/',
  'tool/',
];

async function runUnits(): Promise<boolean> {
  const files = findTestFiles('quick', ['package', 'app', 'example', 'tool']);
  const isPure = (path: string): boolean => pure.some((folder) => matchesGlob(path, `${folder}**`));
  const [together, apart] = [files.filter(isPure), files.filter((path) => !isPure(path))];
  const inOne = [...flags, '--test-isolation=none', ...together];
  const results = await Promise.all([
    step('unit tests of rules', process.execPath, inOne),
    run('unit tests', apart, 2),
  ]);
  return results.every(Boolean);
}

const results =
  named.length > 0
    ? [await run('named tests', named, 1)]
    : [await runUnits(), await run('whole system', findTestFiles('quick', ['test']), 2)];
process.exitCode = results.every(Boolean) ? 0 : 1;
