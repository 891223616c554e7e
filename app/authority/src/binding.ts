import type { PidHandle } from '@spike/host';
import { SpikeError } from '@spike/error';

/** What this authority was told of single processes: each is held by pidfd, so that a record ends with its process. */
export class PidBinding<T> implements Disposable {
  readonly #bound = new Map<number, { readonly handle: PidHandle; readonly value: T }>();

  /** Takes over the handle, unless it throws: `entity_version_conflict` when that process is bound already. */
  bind(handle: PidHandle, value: T): void {
    const held = this.#living(handle.pid);
    if (held !== undefined) {
      throw new SpikeError('entity_version_conflict', `process ${held.handle.pid} is bound already`);
    }
    this.#bound.get(handle.pid)?.handle[Symbol.dispose]();
    this.#bound.set(handle.pid, { handle, value });
  }

  /** Undefined also when the process has ended: its number may belong to another one by now. */
  get(pid: number): T | undefined {
    return this.#living(pid)?.value;
  }

  list(): readonly { readonly pid: number; readonly startTime: string; readonly value: T }[] {
    return [...this.#bound]
      .filter(([pid]) => this.#living(pid) !== undefined)
      .map(([pid, { handle, value }]) => ({ pid, startTime: handle.startTime, value }));
  }

  /** Forgets the processes that have ended, and answers what they were bound to. */
  sweep(): readonly { readonly pid: number; readonly value: T }[] {
    const ended = [...this.#bound].filter(([, { handle }]) => !handle.alive());
    for (const [pid, { handle }] of ended) {
      handle[Symbol.dispose]();
      this.#bound.delete(pid);
    }
    return ended.map(([pid, { value }]) => ({ pid, value }));
  }

  [Symbol.dispose](): void {
    for (const { handle } of this.#bound.values()) handle[Symbol.dispose]();
    this.#bound.clear();
  }

  #living(pid: number): { readonly handle: PidHandle; readonly value: T } | undefined {
    const held = this.#bound.get(pid);
    return held?.handle.alive() === true ? held : undefined;
  }
}
