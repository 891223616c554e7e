import { ChildEnvironment, programOf, startChild } from '@spike/host';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { SpikeError } from '@spike/error';

type Child = ReturnType<typeof spawnApp>;

/** What a part says of itself in one JSON line on its standard output when it serves. */
export type Announcement = Readonly<Record<string, string | number>>;

export interface PartOptions {
  /** Name of the folder below `app/`, which its command line shows. */
  readonly app: 'authority' | 'keeper' | 'nexus' | 'bootstrap';
  /** For tests: what to run instead. */
  readonly program?: typeof programOf;
  /** Name in messages, such as `keeper 2`. */
  readonly name: string;
  /** Asked anew at each start, so that a part that comes back gets the port that it had. */
  readonly args: () => readonly string[];
  readonly env: () => NodeJS.ProcessEnv;
  /** Runs as soon as the process exists; what it rejects with counts as a failed start. */
  readonly onSpawn: (pid: number) => Promise<void>;
  /** Runs as soon as that process is gone; its pid may stand for another one from then on. */
  readonly onGone: (pid: number) => void;
  readonly onReady: (announcement: Announcement) => void;
  /** Gets each line of the part's log. */
  readonly onLog: (line: string) => void;
  readonly onExit: (how: string) => void;
  /** Everything is about to stop: a part that ends from then on is not started again, nor told of. */
  readonly ending?: AbortSignal;
}

const firstBackoffMs = 200;
const lastBackoffMs = 5_000;
/** A part that served this long has earned a fresh backoff. */
const steadyMs = 1_000;
const maxAnnouncementBytes = 4_096;
const killAfterMs = 7_000;

/** One supervised part: starts it, and starts it again when it dies, until it is stopped. */
export class Part implements AsyncDisposable {
  readonly name: string;
  readonly #options: PartOptions;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #child: Child | undefined;
  #ready: Announcement | undefined;
  /** When the newest process began to serve; kept after its end. */
  #readySince: number | undefined;

  constructor(options: PartOptions) {
    this.#options = options;
    this.name = options.name;
    this.#running = this.#superviseForever();
  }

  /** The pid of the process that runs now; undefined between two lives. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** The last announcement of the process that runs now. */
  get ready(): Announcement | undefined {
    return this.#ready;
  }

  /** SIGTERM, then SIGKILL after the part's own deadline; resolves when the process is gone. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #superviseForever(): Promise<void> {
    const { ending } = this.#options;
    // Ctrl-C in a terminal ends all parts at once, while they are told to stop one after the other.
    const over = ending === undefined ? this.#stop.signal : AbortSignal.any([this.#stop.signal, ending]);
    let backoffMs = firstBackoffMs;
    while (!over.aborted) {
      this.#readySince = undefined;
      const how = await this.#liveOnce();
      if (this.#readySince !== undefined && performance.now() - this.#readySince > steadyMs)
        backoffMs = firstBackoffMs;
      await delay(backoffMs, undefined, { signal: over }).catch(() => undefined);
      // Told to stop, the whole group ends at once: that is no accident to report.
      if (over.aborted) return;
      this.#options.onExit(how);
      backoffMs = Math.min(backoffMs * 2, lastBackoffMs);
    }
  }

  async #liveOnce(): Promise<string> {
    const child = spawnApp(this.#options);
    this.#child = child;
    const ended = whenEnded(child);
    using _lines = readLines(child, this.#options.onLog, (announcement) => {
      this.#ready = announcement;
      this.#readySince ??= performance.now();
      this.#options.onReady(announcement);
    });
    let killer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      child.kill('SIGTERM');
      killer = setTimeout(() => child.kill('SIGKILL'), killAfterMs).unref();
    };
    this.#stop.signal.addEventListener('abort', stop, { once: true });
    if (this.#stop.signal.aborted) stop();
    try {
      if (child.pid !== undefined) {
        await this.#options.onSpawn(child.pid).catch(() => void child.kill('SIGKILL'));
      }
      return await ended;
    } finally {
      clearTimeout(killer);
      this.#stop.signal.removeEventListener('abort', stop);
      this.#child = undefined;
      this.#ready = undefined;
      if (child.pid !== undefined) this.#options.onGone(child.pid);
    }
  }
}

/** Runs a part that ends by itself. Returns its exit code; throws when it is still there at the deadline. */
export async function runOnce(
  options: Pick<PartOptions, 'app' | 'program' | 'args' | 'env' | 'onSpawn' | 'onGone' | 'onLog'>,
  signal: AbortSignal,
): Promise<number> {
  const child = spawnApp(options);
  using _lines = readLines(child, options.onLog, () => undefined);
  const stop = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', stop, { once: true });
  try {
    const ended = whenEnded(child);
    if (child.pid !== undefined) await options.onSpawn(child.pid);
    await ended;
  } finally {
    signal.removeEventListener('abort', stop);
    child.kill('SIGKILL');
    if (child.pid !== undefined) options.onGone(child.pid);
  }
  if (signal.aborted)
    throw new SpikeError('net_timeout', `${options.app} did not end in time`, { cause: signal.reason });
  return child.exitCode ?? 1;
}

function spawnApp(options: Pick<PartOptions, 'app' | 'program' | 'args' | 'env'>) {
  const { file, args } = (options.program ?? programOf)(options.app, options.args());
  return startChild(file, args, {
    // Our end of its standard input closes when we die, which is how it knows.
    stdio: ['pipe', 'pipe', 'pipe'],
    environment: ChildEnvironment.ofPart({ ...options.env(), SPIKE_SUPERVISED: '1' }),
  });
}

function whenEnded(child: Child): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be started: ${error.message}`));
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `ended with code ${code}` : `was ended by ${signal}`),
    );
  });
}

function readLines(
  child: Child,
  onLog: (line: string) => void,
  onReady: (announcement: Announcement) => void,
): Disposable {
  child.stdin?.on('error', () => undefined);
  const readers = [
    child.stderr === null ? undefined : createInterface({ input: child.stderr }).on('line', onLog),
    child.stdout === null
      ? undefined
      : createInterface({ input: child.stdout }).on('line', (line) => {
          const announcement = parseAnnouncement(line);
          if (announcement !== undefined) onReady(announcement);
        }),
  ];
  return {
    [Symbol.dispose]: () => {
      for (const reader of readers) reader?.close();
    },
  };
}

export function parseAnnouncement(line: string): Announcement | undefined {
  if (line.length > maxAnnouncementBytes) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null || Reflect.get(value, 'event') !== 'ready')
      return undefined;
    const fields = Object.entries(value).filter(
      (entry): entry is [string, string | number] =>
        typeof entry[1] === 'string' || typeof entry[1] === 'number',
    );
    return Object.fromEntries(fields);
  } catch {
    return undefined;
  }
}
