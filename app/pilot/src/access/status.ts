import type { NexusTable, OutputOf } from '@spike/contract';
import { toSpikeError, type ErrorCode } from '@spike/error';
import type { Invocation } from '../invocation.ts';
import { openSession, type Session } from '../session.ts';

export interface OpenedStatus extends AsyncDisposable {
  readonly session: Session;
  readonly status: OutputOf<NexusTable['status']>;
  /** Half of the way to Nexus and back after which it answered, in milliseconds since 1970. */
  readonly askedAt: number;
}

/** A session that is over or not begun hides the details, and is no reason to tell nothing. */
const withoutSession: readonly ErrorCode[] = [
  'session_required',
  'password_change_required',
  'state_not_initialized',
  'state_not_ready',
];

/** Asks how Nexus is: with the session that there is, else without one. */
export async function askStatus(invocation: Invocation, verify: boolean): Promise<OpenedStatus> {
  try {
    return await ask(invocation, verify, 'shown');
  } catch (error) {
    if (!withoutSession.includes(toSpikeError(error).code)) throw error;
    return await ask(invocation, verify, 'none');
  }
}

async function ask(
  invocation: Invocation,
  verify: boolean,
  administrator: 'shown' | 'none',
): Promise<OpenedStatus> {
  const session = await openSession(invocation, 'pilot', { administrator });
  try {
    const before = Date.now();
    const status = await session.client.status({ verify }, session.call);
    const askedAt = (before + Date.now()) / 2;
    return { session, status, askedAt, [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() };
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}
