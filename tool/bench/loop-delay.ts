// Loaded into every part with `--import`: from SIGUSR2 on, Nexus counts how late its event loop is, until the next one,
// at which it writes what it counted into the file that the query of this module's URL names.
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Each of these milliseconds a timer is due; what it comes later is the delay. */
const resolution = 1;

/** In milliseconds. */
export interface LoopDelay {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

const file = new URL(import.meta.url).searchParams.get('file');
if (file !== null && process.argv[1]?.includes('app/nexus/') === true) {
  const histogram = monitorEventLoopDelay({ resolution });
  let running = false;
  process.on('SIGUSR2', () => {
    if (!running) {
      histogram.reset();
      histogram.enable();
    } else {
      histogram.disable();
      const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolution);
      const found: LoopDelay = {
        p50: late(histogram.percentile(50)),
        p99: late(histogram.percentile(99)),
        max: late(histogram.max),
      };
      writeFileSync(file, JSON.stringify(found));
    }
    running = !running;
  });
}
