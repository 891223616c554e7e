import { Worker } from 'node:worker_threads';

/** A parser that reads what hostile people wrote. */
export interface FuzzTarget {
  readonly name: string;
  /** What it should read, or nearly: everything that is tried is made from these. */
  readonly seeds: readonly (string | Uint8Array)[];
  /** Words of its language. */
  readonly tokens?: readonly string[];
  /** May resolve later. What it throws, and what it asserts about what was read, is judged by `expects`. */
  read(bytes: Uint8Array): unknown;
  /** Whether an error is one by which the parser refuses. */
  expects(error: unknown): boolean;
}

export interface FuzzOptions {
  readonly runs: number;
  readonly seed: number;
  /** Inputs that were of interest once, tried first as they are, and then as seeds. */
  readonly corpus?: readonly Uint8Array[];
}

export interface FuzzReport {
  readonly runs: number;
  /** How many were read and not refused. */
  readonly taken: number;
  readonly slowestMs: number;
}

/** One input takes no longer; what does is a hang. */
const longestMs = 1000;
const longestInput = 64 * 1024;
const genericTokens = [
  '__proto__',
  'constructor',
  'toString',
  '\0',
  '\uFEFF',
  '\uD83D',
  '{}',
  '[]',
  '""',
  'null',
  '-1',
];
const octets = [0x00, 0x01, 0x22, 0x2f, 0x30, 0x5c, 0x7b, 0x7f, 0x80, 0x82, 0xff];

/**
 * Tries the corpus and then so many inputs, each made from the seed and its number alone. Throws with the input, as
 * a line for the corpus, when one is not refused as it should be, or takes too long.
 */
export async function fuzz(target: FuzzTarget, options: FuzzOptions): Promise<FuzzReport> {
  const { runs, seed, corpus = [] } = options;
  const seeds = [...target.seeds.map((one) => Buffer.from(one)), ...corpus];
  const tokens = [...genericTokens, ...(target.tokens ?? [])].map((text) => Buffer.from(text));
  await using watch = new Watch(target.name, seed);
  let taken = 0;
  let slowestMs = 0;
  for (let run = -seeds.length; run < runs; run++) {
    watch.begin(run);
    const input =
      run < 0 ? (seeds[run + seeds.length] ?? new Uint8Array()) : mutateBytes(seeds, tokens, seed, run);
    let { ms, fault } = await readOnce(target, input);
    // A machine that is busy elsewhere is no hang: that would come again.
    if (ms > longestMs) ms = (await readOnce(target, input)).ms;
    if (fault === undefined) taken += 1;
    else if (target.expects(fault)) fault = undefined;
    if (ms > longestMs) fault ??= new Error(`it took ${ms} ms`);
    slowestMs = Math.max(slowestMs, ms);
    if (fault !== undefined) {
      throw new Error(`${target.name}, seed ${seed}, run ${run}: ${formatInput(input)}`, { cause: fault });
    }
  }
  return { runs: runs + seeds.length, taken, slowestMs };
}

async function readOnce(
  target: FuzzTarget,
  input: Uint8Array,
): Promise<{ readonly ms: number; readonly fault: unknown }> {
  const started = performance.now();
  let fault: unknown;
  try {
    const reading = target.read(input);
    if (reading instanceof Promise) await reading;
  } catch (error) {
    fault = error ?? new Error('it threw nothing');
  }
  return { ms: performance.now() - started, fault };
}

/** One line of a corpus: a JSON text whose characters are bytes. */
export function formatInput(bytes: Uint8Array): string {
  return JSON.stringify(Buffer.from(bytes).toString('latin1'));
}

/** The inputs of a corpus; lines that begin with `#` say what they are. */
export function parseInputs(text: string): readonly Uint8Array[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => Buffer.from(String(JSON.parse(line)), 'latin1'));
}

/** A thread that ends the process, with the run in its last words, when one input is read for ever. */
class Watch implements AsyncDisposable {
  readonly #cell = new Int32Array(new SharedArrayBuffer(8));
  readonly #worker: Worker;

  constructor(name: string, seed: number) {
    this.#worker = new Worker(new URL('fuzz-watch.ts', import.meta.url), {
      workerData: { cell: this.#cell, name, seed },
    });
    this.#worker.unref();
  }

  begin(run: number): void {
    this.#cell[0] = run;
    this.#cell[1] = (this.#cell[1] ?? 0) + 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}

/** A seed with up to five changes that leave most of it as it is, so that a parser gets past its first bytes. */
function mutateBytes(
  seeds: readonly Uint8Array[],
  tokens: readonly Uint8Array[],
  seed: number,
  run: number,
): Uint8Array {
  const random = numbers(seed ^ Math.imul(run + 1, 0x9e3779b1));
  const below = (end: number): number => Math.floor(random() * end);
  let bytes: Uint8Array = Buffer.from(seeds[below(seeds.length)] ?? []);
  for (let edits = 1 + below(5); edits > 0; edits--) {
    const at = below(bytes.length + 1);
    const head = bytes.subarray(0, at);
    const rest = bytes.subarray(at);
    const count = 1 + below(below(8) === 0 ? 64 : 4);
    const octet = below(2) === 0 ? below(256) : (octets[below(octets.length)] ?? 0);
    const other = seeds[below(seeds.length)] ?? bytes;
    const from = below(other.length);
    switch (below(8)) {
      case 0:
        bytes = Buffer.concat([head, Buffer.alloc(1, octet), rest.subarray(1)]);
        break;
      case 1:
        bytes = Buffer.concat([head, Buffer.alloc(1, (rest[0] ?? 0) ^ (1 << below(8))), rest.subarray(1)]);
        break;
      case 2:
        bytes = Buffer.concat([head, Buffer.alloc(count, octet), rest]);
        break;
      case 3:
        bytes = Buffer.concat([head, rest.subarray(count)]);
        break;
      case 4:
        bytes = Buffer.concat([head, rest.subarray(0, count), rest]);
        break;
      case 5:
        bytes = below(4) === 0 ? head : Buffer.concat([head, rest.subarray(count)]);
        break;
      case 6:
        bytes = Buffer.concat([head, tokens[below(tokens.length)] ?? head, rest]);
        break;
      default:
        bytes = Buffer.concat([head, other.subarray(from, from + 1 + below(40)), rest]);
    }
  }
  return bytes.subarray(0, longestInput);
}

/** mulberry32: from 0 to 1. */
function numbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
