// npm run test:long: what takes long, and what needs Go, Python or a package of the system.
// `-- --kills N` kills Nexus so many times instead, `-- --fuzz N` gives each parser so many inputs; nothing else runs then.
import { parseArgs } from 'node:util';
import { findTestFiles } from './test-file.ts';
import { step } from './step.ts';

const { values, positionals } = parseArgs({
  options: { kills: { type: 'string' }, fuzz: { type: 'string' } },
  allowPositionals: true,
});
const kills = toCount('--kills', values.kills);
const inputs = toCount('--fuzz', values.fuzz);
if (kills !== undefined) process.env['SPIKE_TEST_KILLS'] = String(kills);
if (inputs !== undefined) process.env['SPIKE_TEST_FUZZ'] = String(inputs);

const everything = findTestFiles('long', ['package', 'app', 'example', 'tool', 'test']);
const named = positionals.length > 0 ? positionals : everything;
const alone = [
  ...(kills === undefined ? [] : ['test/kill.long.test.ts']),
  ...(inputs === undefined ? [] : ['test/fuzz.long.test.ts', 'test/policy-fuzz.long.test.ts']),
];
const files = alone.length === 0 ? named : alone;
// Per test file, a slow machine's time for each.
const timeoutMs = Math.max(900_000, 20_000 * (kills ?? 0), 5 * (inputs ?? 0));
const flags = [
  ...process.execArgv,
  '--test',
  '--test-reporter=spec',
  `--test-timeout=${timeoutMs}`,
  '--test-concurrency=2',
];
process.exitCode = (await step('long tests', process.execPath, [...flags, ...files])) ? 0 : 1;

function toCount(option: string, text: string | undefined): number | undefined {
  const count = text === undefined ? undefined : Number(text);
  if (count === undefined || (Number.isSafeInteger(count) && count > 0)) return count;
  throw new Error(`${option} wants a number, such as 500`);
}
