import { once } from 'node:events';
import { toSpikeError } from '@spike/error';
import { harden, setParentDeathSignal } from '@spike/host';
import { help, parseConfig } from './config.ts';
import { Report } from './report.ts';
import { LocalSystem } from './system.ts';

harden();
process.exitCode = await main();
process.exit();

async function main(): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
  let report = new Report(false);
  try {
    const config = parseConfig(process.argv.slice(2), process.env);
    if (config === 'help') {
      process.stdout.write(help);
      return 0;
    }
    report = new Report(config.verbose);
    followWrapper(stop);
    await using system = await LocalSystem.start(config, report, stop.signal);
    const serves = await system.serves(stop.signal);
    report.banner(config.home, system.context, { serves, wantsInit: await system.wantsInit() });
    const watching = system.watch(stop.signal);
    stop.signal.addEventListener('abort', () => report.stopping(), { once: true });
    if (!stop.signal.aborted) await once(stop.signal, 'abort');
    await watching;
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return 0;
    const failure = toSpikeError(error);
    report.warn(`${failure.message}${failure.cause instanceof Error ? ` (${failure.cause.message})` : ''}`);
    return failure.row.exit;
  }
}

/** Where a wrapper on an older Node started us, we end with it, however it ends. */
function followWrapper(stop: AbortController): void {
  const wrapper = Number(process.env['SPIKE_WRAPPER_PID'] ?? Number.NaN);
  if (!Number.isSafeInteger(wrapper) || wrapper !== process.ppid) return;
  try {
    if (!setParentDeathSignal('SIGTERM', wrapper)) stop.abort();
  } catch {
    // Not to be had on this system: then the wrapper forwards what it is told, and that is all.
  }
}
