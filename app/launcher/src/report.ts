import { styleText } from 'node:util';
import type { Context, Home } from '@spike/config';

/** What the banner depends on. */
export interface SystemState {
  readonly serves: boolean;
  /** There is no administrator yet. */
  readonly wantsInit: boolean;
}

/** What the person at the terminal sees: progress and warnings on standard error, the banner on standard output. */
export class Report {
  readonly #verbose: boolean;
  readonly #started = performance.now();
  #stopping = false;

  constructor(verbose: boolean) {
    this.#verbose = verbose;
  }

  /** From now on the parts end, in no order: that one of them misses another is no news. */
  stopping(): void {
    this.#stopping = true;
    this.progress('stopping');
  }

  progress(text: string): void {
    const seconds = ((performance.now() - this.#started) / 1000).toFixed(1).padStart(5);
    process.stderr.write(`${dim(`${seconds} s`)}  ${text}\n`);
  }

  warn(text: string): void {
    process.stderr.write(`${styleText('yellow', 'warning', { stream: process.stderr })}  ${text}\n`);
  }

  /** A log line of a part: all of them when asked for, else those that a person has to know. */
  logLine(part: string, line: string): void {
    const parsed = parseLine(line);
    if (this.#verbose || parsed === undefined) {
      // A Keeper's audit lines are for a collector of logs, not for a person at a terminal.
      if (this.#verbose || !line.startsWith('{"audit":')) process.stderr.write(`${line}\n`);
      return;
    }
    // What is behind an alert has a line of its own, or was done by a person; `spike alert list` shows them all.
    if (parsed.event === 'alert') return;
    if (parsed.level !== 'error' && (parsed.level !== 'warn' || this.#stopping)) return;
    this.warn(`${part}: ${parsed.event}${parsed.message === undefined ? '' : `: ${parsed.message}`}`);
  }

  banner(home: Home, context: Context, state: SystemState): void {
    process.stdout.write(bannerOf(home, context, state));
  }
}

function bannerOf(home: Home, context: Context, { serves, wantsInit }: SystemState): string {
  const command = (text: string): string => `  ${styleText('bold', text, { stream: process.stdout })}\n`;
  return (
    (serves ? '\nSPIKE is up: ' : '\nSPIKE runs, and Nexus does not serve: the warning above says why. ') +
    `Nexus at ${context.nexusUrl}, ${context.keeperUrls.length} Keepers, ` +
    `trust domain ${context.trustDomain}, data in ${home.root}\n\n` +
    'Try next, in another terminal:\n' +
    (wantsInit ? command('npx spike init') : '') +
    (serves
      ? command('npx spike secret put tenants/acme/db user=app pass=-') +
        command('npx spike secret get tenants/acme/db')
      : '') +
    command('npx spike status') +
    '\nThis is the embedded authority, for one machine: processes of one user are not protected from each other.\n' +
    'Use SPIRE where they must be (doc/guide/spire.md).\n' +
    (context.recoveryFile
      ? `Whoever reads ${home.recovery} and the database reads every secret; --no-recovery-file keeps no shares here.\n`
      : 'No recovery shares are kept here: take them with `spike operator recover`; after a full stop, ' +
        '`spike operator restore` needs them.\n') +
    'Stop it with Ctrl-C.\n\n'
  );
}

function dim(text: string): string {
  return styleText('dim', text, { stream: process.stderr });
}

interface LogLine {
  readonly level: string;
  readonly event: string;
  readonly message: string | undefined;
}

function parseLine(line: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return undefined;
    const text = (name: string): string | undefined => {
      const found: unknown = Reflect.get(value, name);
      return typeof found === 'string' ? found : undefined;
    };
    const level = text('level');
    const event = text('event');
    return level === undefined || event === undefined
      ? undefined
      : { level, event, message: text('message') };
  } catch {
    return undefined;
  }
}
