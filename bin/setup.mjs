#!/usr/bin/env node
// npm start, test, check …: set up what is missing, then hand over.
import { fail, install, isInstalled, run } from './runtime.mjs';

const programs = {
  start: 'app/launcher/src/main.ts',
  test: 'tool/test.ts',
  'test:long': 'tool/test-long.ts',
  'test:spire': 'tool/test-spire.ts',
  check: 'tool/check.ts',
  bench: 'tool/bench.ts',
  format: 'tool/format.ts',
  build: 'tool/build.ts',
  pack: 'tool/pack.ts',
  reference: 'tool/reference.ts',
};

const [name = '', ...args] = process.argv.slice(2);
const program = Object.hasOwn(programs, name) ? programs[name] : undefined;
if (program === undefined) fail(`no such task: ${name} (there are ${Object.keys(programs).join(', ')})`);
if (!isInstalled()) install();
run(program, args);
