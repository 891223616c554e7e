import { fuzzAll } from './fuzz/run.ts';

/** `--fuzz 1000000` of `npm run test:long` comes as this variable. */
await fuzzAll(Number(process.env['SPIKE_TEST_FUZZ'] ?? 100_000));
