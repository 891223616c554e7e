// The thread behind `fuzz`: the one that reads may be in a loop that never ends, and can't say so then.
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const { cell, name, seed } = workerData as {
  readonly cell: Int32Array;
  readonly name: string;
  readonly seed: number;
};
const stuckMs = 15_000;

let last = -1;
setInterval(() => {
  const count = cell[1] ?? 0;
  if (count !== last) {
    last = count;
    return;
  }
  writeSync(2, `${name}, seed ${seed}, run ${cell[0]}: it hangs\n`);
  process.kill(process.pid, 'SIGKILL');
}, stuckMs);
