import { writeSync } from 'node:fs';
import { isatty } from 'node:tty';
import type { Environment } from '@spike/config';
import { toSpikeError } from '@spike/error';
import { harden, reapInherited } from '@spike/host';
import { createLog, describeError, levels, type Level, type Log } from '@spike/log';

export interface PartContext {
  readonly log: Log;
  readonly env: Environment;
  readonly args: readonly string[];
  /** Fires once: SIGTERM, SIGINT, or the supervisor that started this process is gone. */
  readonly signal: AbortSignal;
  /** Tells the supervisor, if there is one, that this part serves, and where. */
  announce(fields: Readonly<Record<string, string | number>>): void;
}

/** How long a part may take to end after it was told to; then it is ended hard, which loses nothing that was acknowledged. */
const stopMs = 6_000;
/** The same when the supervisor died: it promises that its children end within 2 s. */
const orphanMs = 1_500;

/**
 * Runs one part of SPIKE as this process: hardens the process before anything else, turns the ways of being told to
 * stop into one AbortSignal, and turns the outcome into an exit code. `main` returns when the signal has fired and
 * everything is closed, or throws.
 */
export async function runPart(
  component: string,
  main: (context: PartContext) => Promise<void>,
): Promise<void> {
  const hardened = harden();
  using _inherited = reapInherited();
  const env: Environment = { ...process.env };
  const log = createLog({ component, level: levelOf(env), write: writeLine });
  for (const lack of hardened.lacking) log.warn('process.not_hardened', { lack });
  const stop = new AbortController();
  const end = (reason: string, deadlineMs: number): void => {
    if (stop.signal.aborted) return;
    log.info('part.stopping', { reason });
    stop.abort();
    setTimeout(() => {
      log.error('part.stop_overdue', { deadlineMs });
      process.exit(1);
    }, deadlineMs).unref();
  };
  process.on('SIGTERM', () => end('SIGTERM', stopMs));
  process.on('SIGINT', () => end('SIGINT', stopMs));
  // A supervisor's log pipe can be gone before we are.
  process.stderr.on('error', () => end('log_closed', orphanMs));
  process.on('unhandledRejection', (error) => {
    log.error('part.failed', describeError(error));
    process.exit(1);
  });
  if (isSupervised(env)) {
    // The supervisor holds the other end of our standard input: it closes when that process is gone, however it died.
    process.stdin.on('end', () => end('supervisor_gone', orphanMs));
    process.stdin.on('error', () => end('supervisor_gone', orphanMs));
    process.stdin.resume();
  }
  try {
    await main({ log, env, args: process.argv.slice(2), signal: stop.signal, announce });
    process.exitCode = 0;
  } catch (error) {
    if (!stop.signal.aborted) {
      log.error('part.failed', describeError(error));
      process.exitCode = toSpikeError(error).row.exit;
    }
  }
  log.info('part.stopped', {});
  process.exit();
}

function isSupervised(env: Environment): boolean {
  return env['SPIKE_SUPERVISED'] === '1';
}

function levelOf(env: Environment): Level {
  const wanted = env['SPIKE_SYSTEM_LOG_LEVEL']?.toLowerCase();
  return levels.find((level) => level === wanted) ?? 'info';
}

function writeLine(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // Nobody reads the log any more; the audit has its own sinks and its own rules.
  }
}

function announce(fields: Readonly<Record<string, string | number>>): void {
  // The supervisor reads the announcement from a pipe; a person at a terminal has the log.
  if (!isatty(1)) process.stdout.write(`${JSON.stringify({ event: 'ready', ...fields })}\n`);
}
