import type { Invocation } from '../invocation.ts';

const redrawMs = 200;
const lineMs = 10_000;

/**
 * How far long work has come, on standard error: in a terminal one line that is drawn again, elsewhere a plain line every
 * ten seconds. Programs that asked for JSON or YAML get none.
 */
export class Progress implements Disposable {
  readonly #what: string;
  readonly #stderr: NodeJS.WriteStream;
  readonly #isSilent: boolean;
  readonly #startedAt = performance.now();
  #total: number;
  #done = 0;
  #shownAt = -Infinity;
  #isDrawn = false;

  /** `total` in bytes, about; 0 where nobody knows. */
  constructor({ stderr, settings }: Invocation, what: string, total: number) {
    this.#what = what;
    this.#stderr = stderr;
    this.#isSilent = settings.format !== 'human';
    this.#total = total;
  }

  add(bytes: number): void {
    this.#done += bytes;
    // The total was a guess.
    this.#total = Math.max(this.#total, this.#done);
    const now = performance.now();
    if (this.#shownAt === -Infinity && !this.#stderr.isTTY) this.#shownAt = now;
    if (now - this.#shownAt < (this.#stderr.isTTY ? redrawMs : lineMs)) return;
    this.#shownAt = now;
    this.#show(describe(this.#what, this.#done, this.#total, (now - this.#startedAt) / 1000));
  }

  /** Takes the drawn line away. */
  [Symbol.dispose](): void {
    if (this.#isDrawn) this.#stderr.write('\r\u001b[K');
    this.#isDrawn = false;
  }

  #show(text: string): void {
    if (this.#isSilent) return;
    if (!this.#stderr.isTTY) {
      this.#stderr.write(`${text}\n`);
      return;
    }
    this.#isDrawn = true;
    this.#stderr.write(`\r\u001b[K${text.slice(0, Math.max(20, (this.#stderr.columns || 80) - 1))}`);
  }
}

/** `what: 12.3 MB of about 40 MB, 5.1 MB/s, 6 s left`. */
export function describe(what: string, done: number, total: number, seconds: number): string {
  const rate = seconds > 0 ? done / seconds : 0;
  const left = rate > 0 && total > done ? `, ${formatSeconds((total - done) / rate)} left` : '';
  const of = total > done ? ` of about ${formatBytes(total)}` : '';
  return `${what}: ${formatBytes(done)}${of}, ${formatBytes(rate)}/s${left}`;
}

export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[power] ?? ''}`;
}

function formatSeconds(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  return whole < 3600
    ? `${Math.floor(whole / 60)} min ${whole % 60} s`
    : `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
