import { binary, step } from './step.ts';

process.exitCode = (await step('format', binary('prettier'), ['--write', '--log-level=warn', '.'])) ? 0 : 1;
