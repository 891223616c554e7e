import { toSpikeError } from '@spike/error';

/** What a client asks for. */
export interface Request {
  readonly key: string;
  readonly kind: 'put' | 'get' | 'delete' | 'undelete' | 'destroy';
  readonly value?: string;
  readonly cas?: number;
  readonly versions?: readonly number[];
  readonly all?: boolean;
}

/** What came of it. */
export interface Result {
  readonly outcome: 'ok' | 'absent' | 'conflict' | 'unknown';
  /** The number that a put gave, or that a get answered from. */
  readonly version?: number;
  readonly read?: string;
}

/** One operation of a history: it happened within its interval, whose ends are whole microseconds. */
export interface Operation extends Request, Result {
  readonly client: number;
  readonly call: number;
  readonly return: number;
  /** How much the disk had been told when it was asked for, and when it was answered. */
  readonly asked: number;
  readonly answered: number;
}

/** Answers that say that nothing was done. */
const refusals: ReadonlySet<string> = new Set(['state_not_ready', 'identity_withdrawn', 'limit_exceeded']);
const answers: Readonly<Record<string, Result['outcome']>> = {
  api_not_found: 'absent',
  entity_version_conflict: 'conflict',
};

/** Writes down what several clients of one server did, and when. */
export class Recorder {
  readonly #mark: () => number;
  readonly #done: Operation[] = [];
  /** May still happen, or have happened, as long as the server that got it is not known to be dead. */
  #open: Omit<Operation, 'return'>[] = [];
  #acknowledged = 0;

  /** `mark` counts what the disk is told. */
  constructor(mark: () => number = () => 0) {
    this.#mark = mark;
  }

  /** Changes that were answered with success. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Throws what the request failed with, unless that is an answer about the secret. */
  async run(client: number, request: Request, ask: () => Promise<Omit<Result, 'outcome'>>): Promise<Result> {
    const begun = { ...request, client, call: now(), asked: this.#mark() };
    try {
      const result: Result = { ...(await ask()), outcome: 'ok' };
      this.#done.push({ ...begun, ...result, return: now(), answered: this.#mark() });
      if (request.kind !== 'get') this.#acknowledged += 1;
      return result;
    } catch (thrown) {
      const { code, detail } = toSpikeError(thrown);
      const outcome = answers[code];
      if (outcome !== undefined) {
        this.#done.push({ ...begun, outcome, return: now(), answered: this.#mark() });
        return { outcome };
      }
      const nothing = request.kind === 'get' || detail['sent'] === false || refusals.has(code);
      if (!nothing) this.#open.push({ ...begun, outcome: 'unknown', answered: Infinity });
      throw thrown;
    }
  }

  /** The server is dead, or stopped: what it had not done by now it will never do. */
  close(): void {
    const end = now();
    this.#done.push(...this.#open.map((operation) => ({ ...operation, return: end })));
    this.#open = [];
  }

  get operations(): readonly Operation[] {
    return this.#done;
  }
}

/** The highest version of each key that somebody heard of. */
export function lastVersions(operations: readonly Operation[]): ReadonlyMap<string, number> {
  const last = new Map<string, number>();
  for (const { key, version = 0 } of operations) last.set(key, Math.max(last.get(key) ?? 0, version));
  return last;
}

/** What was promised when the power went at this moment, as clients can know it: later answers never came. */
export function cutHistory(operations: readonly Operation[], moment: number): readonly Operation[] {
  const end = Math.max(0, ...operations.map((operation) => operation.return));
  return operations
    .filter(({ asked, kind, answered }) => asked <= moment && (kind !== 'get' || answered <= moment))
    .map((operation) =>
      operation.answered <= moment ? operation : { ...operation, outcome: 'unknown', return: end },
    );
}

function now(): number {
  return Math.round(performance.now() * 1000);
}
