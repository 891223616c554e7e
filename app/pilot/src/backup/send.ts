import type { NexusTable, OutputOf } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { Calls } from '../session.ts';
import type { Receiver } from './source.ts';

export type Report = NonNullable<OutputOf<NexusTable['feedBackup']>['report']>;

/** Nexus opens each record of a piece, and writes it in a restore. */
const feedMs = 120_000;

export type SendCalls = Calls<'openBackup' | 'feedBackup'>;

/** A backup on its way to Nexus. */
export class Sender implements Receiver {
  readonly #session: SendCalls;
  readonly #purpose: 'verify' | 'restore';
  /** Gives what it takes to open it: recovery shares, where so many are needed. */
  readonly #unlock: (id: string, needed: number) => Promise<void>;
  #id: string | undefined;
  #report: Report | undefined;

  constructor(
    session: SendCalls,
    purpose: 'verify' | 'restore',
    unlock: (id: string, needed: number) => Promise<void> = () => Promise.resolve(),
  ) {
    this.#session = session;
    this.#purpose = purpose;
    this.#unlock = unlock;
  }

  /** Of the reading at Nexus, when it was begun. */
  get id(): string {
    if (this.#id !== undefined) return this.#id;
    throw new SpikeError('api_internal_error', 'the backup was not begun');
  }

  /** When all of it was sent once. */
  get report(): Report {
    if (this.#report !== undefined) return this.#report;
    throw new SpikeError('net_peer_connection', 'Nexus did not say what it found in the backup');
  }

  async start(bytes: Uint8Array): Promise<void> {
    // A second pass goes on with what Nexus knows.
    if (this.#id !== undefined) return;
    const { client, call } = this.#session;
    const opened = await client.openBackup(
      { purpose: this.#purpose, start: bytes },
      { ...call, deadlineMs: feedMs },
    );
    this.#id = opened.id;
    await this.#unlock(opened.id, opened.remaining);
  }

  async feed(bytes: Uint8Array, offset: number): Promise<void> {
    const { client, call } = this.#session;
    const { report } = await client.feedBackup(
      { id: this.id, offset, data: bytes },
      { ...call, deadlineMs: feedMs },
    );
    this.#report ??= report;
  }
}
