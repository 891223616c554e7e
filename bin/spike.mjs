#!/usr/bin/env node
// The `spike` command. Node 20 runs this file; the command itself runs under the Node that SPIKE brings.
import { fail, isInstalled, run } from './runtime.mjs';

// Where this process stays to wait for the command, its arguments stay with it, and they may hold a secret.
process.title = 'spike';

if (!isInstalled()) {
  fail(
    'the packages are not installed yet. Run `npm start` (or `npm ci`) in the repository first, then this again.',
  );
}
run('app/pilot/src/main.ts', process.argv.slice(2));
