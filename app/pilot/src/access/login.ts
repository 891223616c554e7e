import type { InputOf, NexusTable, OutputOf } from '@spike/contract';
import { SpikeError } from '@spike/error';
import type { CallOptions, Client } from '@spike/sdk';
import type { Invocation } from '../invocation.ts';
import type { PasswordFlags } from '../option.ts';
import { readNewPassword, readPassword, readPasswordFile } from './password-input.ts';
import { writeToken } from './token-file.ts';

export type Begun = OutputOf<NexusTable['login']>;

/** What is asked for besides the password. */
export type Wish = Omit<InputOf<NexusTable['login']>, 'password' | 'newPassword'>;

/** Nexus without a session, which a login has none of. */
export interface Door {
  readonly client: Client<NexusTable>;
  readonly call: CallOptions;
  readonly url: string;
}

export const plainWish = { ttlSeconds: 3600, scope: 'all' } as const;
/** Who there is after `spike init`, unless another name was chosen. */
export const firstName = 'admin';

/** Asks for the password, and in place of a one-time password for another one, too. */
export async function logIn(
  invocation: Invocation,
  door: Door,
  wish: Wish,
  flags: PasswordFlags & { readonly newPasswordFile?: string } = {},
): Promise<Begun> {
  const password = await readPassword(invocation, flags, `Password of ${wish.user}: `);
  const given =
    flags.newPasswordFile === undefined ? undefined : await readPasswordFile(flags.newPasswordFile);
  const send = (newPassword: string | undefined): Promise<Begun> =>
    door.client.login(
      { ...wish, password, ...(newPassword === undefined ? {} : { newPassword }) },
      door.call,
    );
  try {
    return await send(given);
  } catch (error) {
    const isOneTime = error instanceof SpikeError && error.code === 'password_change_required';
    if (!isOneTime || given !== undefined || !invocation.stdin.isTTY) throw error;
    invocation.stderr.write('This password is for one time: choose your own.\n');
    return await send(await readNewPassword(invocation, {}, 'New password: '));
  }
}

/** Where the next command finds it; answers the path. */
export async function keep({ env }: Invocation, { token, session }: Begun, url: string): Promise<string> {
  const { administrator, expiresAt } = session;
  return await writeToken(env, { url, administrator, expiresAt, token });
}
