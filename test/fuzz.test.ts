import { fuzzAll } from './fuzz/run.ts';

await fuzzAll(200);
