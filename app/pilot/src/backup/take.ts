import { BackupParser } from '@spike/backup';
import { sealStream, shorten, type Recipient } from '@spike/backup/age';
import type { NexusTable, OutputOf } from '@spike/contract';
import type { Invocation } from '../invocation.ts';
import type { Calls } from '../session.ts';
import { writeNewFile, writeToOutput, type Stored } from './destination.ts';
import { Progress } from './progress.ts';

/** A piece is larger than other answers, and Nexus may be busy. */
const pieceMs = 120_000;
const cancelMs = 2_000;

export type TakeCalls = Calls<'beginBackup' | 'readBackup' | 'endBackup' | 'cancelBackup'>;

export interface TakeOptions {
  /** A new file; `-` is standard output. */
  readonly path: string;
  readonly recipients: readonly Recipient[];
  readonly withoutRecovery: boolean;
}

/** A backup that lies sealed in its place, and what Nexus noted of it. */
export interface TakenBackup extends Stored {
  readonly file: string;
  readonly digest: string;
  readonly instance: string;
  readonly createdAt: string;
  readonly revision: number;
  readonly rows: number;
  /** Shortened. */
  readonly recipients: readonly string[];
}

/**
 * Takes a backup and seals it here: Nexus never has the key that opens it. Throws `entity_version_conflict` for a file
 * that is there, and where nobody holds recovery shares and that was not accepted.
 */
export async function takeBackup(
  invocation: Invocation,
  session: TakeCalls,
  { path, recipients, withoutRecovery }: TakeOptions,
): Promise<TakenBackup> {
  const { stderr, settings, signal } = invocation;
  if (recipients.some(({ isHybrid }) => !isHybrid) && settings.format === 'human')
    stderr.write(
      'This recipient does not keep a backup from quantum computers; one of `spike backup key` does.\n',
    );
  const begun = await session.client.beginBackup({ withoutRecovery }, session.call);
  let stored: Stored;
  let taken: Taken;
  try {
    const taking = new Taking(invocation, session, begun);
    using _progress = taking.progress;
    const sealed = await sealStream(ReadableStream.from(taking.pieces()), recipients);
    stored =
      path === '-' ? await writeToOutput(invocation, sealed) : await writeNewFile(path, sealed, signal);
    taken = taking.end();
  } catch (error) {
    await cancel(session, begun.id);
    throw error;
  }
  const shortened = recipients.map(({ text }) => shorten(text));
  await session.client.endBackup(
    { id: begun.id, digest: taken.digest, ...stored, recipients: shortened },
    session.call,
  );
  return {
    file: path,
    ...stored,
    digest: taken.digest,
    instance: begun.instance,
    createdAt: begun.createdAt,
    revision: begun.revision,
    rows: taken.rows,
    recipients: shortened,
  };
}

interface Taken {
  readonly digest: string;
  readonly rows: number;
}

/** The pieces of a backup as Nexus gives them, looked at on their way: what is damaged is never sealed. */
class Taking {
  readonly progress: Progress;
  readonly #session: TakeCalls;
  readonly #id: string;
  readonly #parser = new BackupParser();
  #digest: string | undefined;
  #rows = 0;

  constructor(invocation: Invocation, session: TakeCalls, begun: OutputOf<NexusTable['beginBackup']>) {
    this.#session = session;
    this.#id = begun.id;
    this.progress = new Progress(invocation, 'taking the backup', begun.estimatedBytes);
  }

  async *pieces(): AsyncGenerator<Uint8Array> {
    const { client, call } = this.#session;
    for (let part = 1; ; part++) {
      const { data, last } = await client.readBackup(
        { id: this.#id, part },
        { ...call, deadlineMs: pieceMs },
      );
      for (const frame of this.#parser.push(data)) {
        if (frame.kind === 'row') this.#rows += 1;
        if (frame.kind === 'trailer') this.#digest = Buffer.from(frame.trailer.digest).toString('hex');
      }
      this.progress.add(data.length);
      yield data;
      if (last) return;
    }
  }

  end(): Taken {
    this.#parser.end();
    return { digest: this.#digest ?? '', rows: this.#rows };
  }
}

/** Nexus would give it up by itself, after a minute in which nobody else could take one. */
async function cancel(session: TakeCalls, id: string): Promise<void> {
  const call = { deadlineMs: cancelMs, signal: AbortSignal.timeout(cancelMs) };
  await session.client.cancelBackup({ id }, call).catch(() => undefined);
}
