// npm run test:long: what takes long, and what needs Go, Python or a package of the system.
import { findTestFiles } from './test-file.ts';
import { step } from './step.ts';

const named = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const files = named.length > 0 ? named : findTestFiles('long', ['package', 'app', 'example', 'tool', 'test']);
const flags = [
  ...process.execArgv,
  '--test',
  '--test-reporter=spec',
  '--test-timeout=900000',
  '--test-concurrency=2',
];
process.exitCode = (await step('long tests', process.execPath, [...flags, ...files])) ? 0 : 1;
