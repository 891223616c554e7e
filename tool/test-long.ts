// npm run test:long: what takes long, and what needs Go, Python or a package of the system.
// `-- --kills N` kills Nexus so many times instead, and runs nothing else.
import { parseArgs } from 'node:util';
import { findTestFiles } from './test-file.ts';
import { step } from './step.ts';

const { values, positionals } = parseArgs({
  options: { kills: { type: 'string' } },
  allowPositionals: true,
});
const kills = values.kills === undefined ? undefined : Number(values.kills);
if (kills !== undefined && !(Number.isSafeInteger(kills) && kills > 0)) {
  throw new Error('--kills wants a number, such as 500');
}
if (kills !== undefined) process.env['SPIKE_TEST_KILLS'] = String(kills);

const everything = findTestFiles('long', ['package', 'app', 'example', 'tool', 'test']);
const named = positionals.length > 0 ? positionals : everything;
const files = kills === undefined ? named : ['test/kill.long.test.ts'];
const timeoutMs = Math.max(900_000, 20_000 * (kills ?? 0));
const flags = [
  ...process.execArgv,
  '--test',
  '--test-reporter=spec',
  `--test-timeout=${timeoutMs}`,
  '--test-concurrency=2',
];
process.exitCode = (await step('long tests', process.execPath, [...flags, ...files])) ? 0 : 1;
