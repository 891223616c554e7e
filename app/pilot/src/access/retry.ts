import type { NexusTable } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { Client } from '@spike/sdk';
import type { Invocation } from '../invocation.ts';
import { firstName, keep, logIn, plainWish, type Door } from './login.ts';
import type { HeldToken } from './token.ts';

/**
 * The same client, where a call that lacks a session asks the person at the terminal for the password, and then goes on
 * with what was asked for. Whoever is no person is told to log in.
 */
export function withLogin(invocation: Invocation, door: Door, held: HeldToken): Client<NexusTable> {
  const { stdin, stderr, settings } = invocation;
  const canAsk = held.isKept && stdin.isTTY && stderr.isTTY && settings.format === 'human';
  if (!canAsk) return door.client;
  let asking: Promise<void> | undefined;
  const ask = async (): Promise<void> => {
    stderr.write('There is no session, or it is over.\n');
    const user = held.administrator ?? firstName;
    held.current = undefined;
    const begun = await logIn(invocation, door, { ...plainWish, user });
    await keep(invocation, begun, door.url);
    held.current = begun.token;
  };
  const wrap =
    (call: AnyCall): AnyCall =>
    async (input, options) => {
      try {
        return await call(input, options);
      } catch (error) {
        if (!(error instanceof SpikeError && error.code === 'session_required')) throw error;
        // Calls at the same time are answered by one login.
        await (asking ??= ask());
        return await call(input, options);
      }
    };
  const calls = Object.entries(door.client).map(([name, call]) => [name, wrap(call as AnyCall)]);
  // The one place where a call loses the types of its route: both come from the same name.
  return Object.fromEntries(calls) as Client<NexusTable>;
}

type AnyCall = (input: unknown, options: unknown) => Promise<unknown>;
