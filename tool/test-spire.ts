// npm run test:spire: the whole system on SPIRE's own server and agent, which need Go and a C compiler to be built once.
// Arguments name files to run instead.
import { findTestFiles } from './test-file.ts';
import { step } from './step.ts';

const named = process.argv.slice(2);
const files = named.length > 0 ? named : findTestFiles('spire', ['test']);
const run = async (name: string, args: readonly string[]): Promise<boolean> =>
  await step(name, process.execPath, [...process.execArgv, ...args]);
// Built before the tests, which would otherwise do it several times at once.
const isBuilt = await run('SPIRE', ['test/spire/build-program.ts']);
// What these wait for is SPIRE and the lives of SVIDs, not the machine.
const flags = ['--test', '--test-reporter=spec', '--test-timeout=600000', '--test-concurrency=4'];
process.exitCode = isBuilt && (await run('tests on SPIRE', [...flags, ...files])) ? 0 : 1;
