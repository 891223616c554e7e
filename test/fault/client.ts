import { setTimeout as delay } from 'node:timers/promises';
import { SecretPath } from '@spike/contract';
import { toSpikeError } from '@spike/error';
import type { RoleClient } from '../caller.ts';
import type { Random } from '../random.ts';
import type { Naming } from './mutation.ts';
import type { Recorder, Request, Result } from './operation.ts';

const callMs = 3_000;
/** Nobody is killed any more: what is late now is slow, not lost. */
const patienceMs = 60_000;
/** Nexus is gone: a client that asks again at once would only keep the machine busy. */
const pauseMs = 20;
const sharedKeys = 8;

export const naming: Naming = {
  isShared: (path) => path.startsWith('fault/shared/'),
  isDoomed: (path) => path.startsWith('fault/doomed/'),
};

/** Lets clients work, or holds them between two requests. */
export class Turnstile {
  #open = Promise.withResolvers<void>();
  #isOpen = false;
  #inside = 0;
  #empty = Promise.withResolvers<void>();

  constructor() {
    this.#empty.resolve();
  }

  open(): void {
    this.#isOpen = true;
    this.#open.resolve();
  }

  /** Resolves when nobody has a request under way. */
  async close(): Promise<void> {
    this.#isOpen = false;
    this.#open = Promise.withResolvers();
    await this.#empty.promise;
  }

  async pass(work: () => Promise<void>): Promise<void> {
    // It may have been closed again between the opening and this turn.
    while (!this.#isOpen) await this.#open.promise;
    if (this.#inside === 0) this.#empty = Promise.withResolvers();
    this.#inside += 1;
    try {
      await work();
    } finally {
      this.#inside -= 1;
      if (this.#inside === 0) this.#empty.resolve();
    }
  }
}

/** One of several clients: it works on keys that all of them have, and on some of its own. */
export class LoadClient {
  readonly #index: number;
  readonly #caller: RoleClient;
  readonly #recorder: Recorder;
  readonly #random: Random;
  #count = 0;
  /** Versions of the own key that are there for certain, newest last. */
  #own: number[] = [];

  constructor(index: number, caller: RoleClient, recorder: Recorder, random: Random) {
    this.#index = index;
    this.#caller = caller;
    this.#recorder = recorder;
    this.#random = random;
  }

  /** Works until it is told to stop; what fails is only noted. */
  async run(turnstile: Turnstile, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await turnstile.pass(async () => {
        if (signal.aborted) return;
        try {
          await this.#step();
        } catch (thrown) {
          this.#own = [];
          toSpikeError(thrown);
          await delay(pauseMs);
        }
      });
    }
  }

  /** Reads all that its keys may hold. */
  async readAll(last: ReadonlyMap<string, number>, kept: number): Promise<void> {
    for (const [key, highest] of last) {
      const lowest = Math.max(1, highest - kept);
      await this.#ask({ key, kind: 'get', versions: [0] }, patienceMs);
      for (let version = lowest; version <= highest + 1; version++)
        await this.#ask({ key, kind: 'get', versions: [version] }, patienceMs);
    }
  }

  async #step(): Promise<void> {
    const roll = this.#random.integer(1, 100);
    if (roll <= 60) await this.#stepShared();
    else if (roll <= 95) await this.#stepOwn();
    else await this.#stepDoomed();
  }

  async #stepShared(): Promise<void> {
    const key = `fault/shared/${this.#random.integer(0, sharedKeys - 1)}`;
    const roll = this.#random.integer(1, 10);
    if (roll <= 3) await this.#ask({ key, kind: 'put', value: this.#value() });
    else if (roll <= 6) await this.#ask({ key, kind: 'get', versions: [0] });
    else if (roll <= 8) {
      const { version = 0 } = await this.#ask({ key, kind: 'get', versions: [0] });
      await this.#ask({ key, kind: 'put', value: this.#value(), cas: version });
    } else if (roll === 9) await this.#ask({ key, kind: 'delete', versions: [] });
    else await this.#ask({ key, kind: 'undelete', versions: [] });
  }

  /** Nobody else writes here, so that each change changes something. */
  async #stepOwn(): Promise<void> {
    const key = `fault/own/${this.#index}`;
    const roll = this.#random.integer(1, 6);
    const last = this.#own.at(-1);
    if (last === undefined || roll <= 3) {
      const { version } = await this.#ask({ key, kind: 'put', value: this.#value() });
      if (version !== undefined) this.#own.push(version);
      return;
    }
    if (roll === 4) {
      await this.#ask({ key, kind: 'delete', versions: [last] });
      await this.#ask({ key, kind: 'get', versions: [last] });
      await this.#ask({ key, kind: 'undelete', versions: [last] });
    } else if (roll === 5) {
      await this.#ask({ key, kind: 'destroy', versions: [last] });
      this.#own = [];
    } else await this.#ask({ key, kind: 'get', versions: [last] });
  }

  async #stepDoomed(): Promise<void> {
    const key = `fault/doomed/${this.#index}/${++this.#count}`;
    await this.#ask({ key, kind: 'put', value: this.#value() });
    await this.#ask({ key, kind: 'destroy', all: true });
    await this.#ask({ key, kind: 'get', versions: [0] });
  }

  #value(): string {
    this.#count += 1;
    return `${this.#index}.${this.#count}`;
  }

  #ask(request: Request, deadlineMs = callMs): Promise<Result> {
    const { key, kind, value, cas, versions = [] } = request;
    const path = SecretPath.parse(key);
    const { call } = this.#caller;
    const options = { deadlineMs };
    return this.#recorder.run(this.#index, request, async () => {
      switch (kind) {
        case 'put': {
          const input = { path, values: { value: value ?? '' }, ...(cas === undefined ? {} : { cas }) };
          const { version } = await call.putSecret(input, options);
          return version === undefined ? {} : { version };
        }
        case 'get': {
          const { version, data } = await call.getSecret({ path, version: versions[0] ?? 0 }, options);
          return { ...(version === undefined ? {} : { version }), read: data['value'] ?? '' };
        }
        case 'delete':
          await call.deleteSecret({ path, versions: [...versions] }, options);
          return {};
        case 'undelete':
          await call.undeleteSecret({ path, versions: [...versions] }, options);
          return {};
        case 'destroy':
          await call.destroySecret(
            request.all === true ? { path, all: true } : { path, versions: [...versions] },
            options,
          );
          return {};
      }
    });
  }
}
