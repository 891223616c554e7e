import { startThread } from '@spike/asset';
import { SpikeError } from '@spike/error';
import { KeyedLock } from '../service/keyed-lock.ts';
import { checkPasswordForm, refuse, type PasswordPolicy } from './password.ts';

export interface JudgeStart {
  /** UTF-8. */
  readonly password: Uint8Array;
  readonly user: string;
  /** Code points that are looked at. */
  readonly longest: number;
}

export interface JudgeAnswer {
  readonly common: boolean;
  /** 0 to 4. */
  readonly score: number;
}

/** Answers how guessable a password is. */
export type Guessability = (password: string, user: string, signal: AbortSignal) => Promise<JudgeAnswer>;

/** Far above what the longest password takes on a slow machine. */
const deadlineMs = 20_000;
const longest = 64;

/** Says whether a password is strong enough (admin.md A2). One is judged at a time: the dictionaries take 150 MB meanwhile. */
export class PasswordJudge {
  readonly policy: PasswordPolicy;
  readonly #guess: Guessability;
  readonly #lock = new KeyedLock();

  constructor(policy: PasswordPolicy, guess: Guessability = guessInThread) {
    this.policy = policy;
    this.#guess = guess;
  }

  /** The password normalised. Throws SpikeError `password_weak`, which names the rule and never the password. */
  async check(text: string, user: string, signal: AbortSignal): Promise<string> {
    const normal = checkPasswordForm(text, user, this.policy);
    const answer = await this.#lock.run('judge', () => this.#guess(normal, user, signal), signal);
    if (answer.common) refuse('is not one of the common passwords');
    if (answer.score < this.policy.minScore)
      refuse('is hard to guess: take more words, and none that belong together');
    return normal;
  }
}

/**
 * zxcvbn in a thread of its own, which ends with the answer: so neither requests wait for it, nor do its dictionaries or
 * the password stay in memory.
 */
async function guessInThread(password: string, user: string, signal: AbortSignal): Promise<JudgeAnswer> {
  signal.throwIfAborted();
  const bytes = new TextEncoder().encode(password);
  const worker = startThread(new URL('./password-worker.ts', import.meta.url), {
    workerData: { password: bytes, user, longest } satisfies JudgeStart,
    transferList: [bytes.buffer],
    name: 'password-judge',
    env: {},
  });
  const { promise, resolve, reject } = Promise.withResolvers<JudgeAnswer>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  const failed = (cause?: unknown): void =>
    reject(new SpikeError('api_internal_error', 'the password could not be judged; try again', { cause }));
  const overdue = setTimeout(failed, deadlineMs);
  worker.on('message', resolve);
  worker.on('error', failed);
  worker.on('exit', failed);
  try {
    return await promise;
  } finally {
    clearTimeout(overdue);
    signal.removeEventListener('abort', abort);
    await worker.terminate();
  }
}
