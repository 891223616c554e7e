// npm run check: everything about the code that is not a test.
import { binary, step } from './step.ts';

const results = [
  await step('types', binary('tsc'), []),
  await step('lint and import rules', binary('oxlint'), ['--quiet']),
  await step('reference pages', process.execPath, [...process.execArgv, 'tool/reference.ts', '--check']),
  await step('format', binary('prettier'), ['--check', '--log-level=warn', '.']),
  await step('dead code and undeclared imports', binary('knip'), ['--no-config-hints']),
];
process.exitCode = results.every(Boolean) ? 0 : 1;
