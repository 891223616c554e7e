import { SpikeError } from '@spike/error';
import { readNewPassword, readPassword, readPasswordFile } from '../access/password-input.ts';
import { readPiped } from '../input/hidden.ts';
import type { Invocation } from '../invocation.ts';
import type { ChangeFlags } from '../option.ts';
import { showDone } from '../output/show.ts';
import { openSession } from '../session.ts';

const mostBytes = 131_072;

/** The own password. The session goes on, all others of this administrator end. */
export async function changePassword(invocation: Invocation, flags: ChangeFlags): Promise<void> {
  // Before anybody types: a session that is over is told first.
  await using session = await openSession(invocation, 'superuser');
  const { session: own } = await session.client.showToken({}, session.call);
  const passwords = await readBoth(invocation, flags, own.administrator);
  const { ended } = await session.client.changePassword(passwords, session.call);
  const others = ended === 0 ? '' : ` ${ended} other ${ended === 1 ? 'session' : 'sessions'} ended.`;
  await showDone(invocation, `The password of ${own.administrator} is changed.${others}`, { ended });
}

async function readBoth(
  invocation: Invocation,
  { passwordStdin, passwordFile, newPasswordFile }: ChangeFlags,
  user: string,
): Promise<{ readonly password: string; readonly newPassword: string }> {
  const { stdin, deadline } = invocation;
  if (passwordStdin === true) {
    const [password, newPassword, ...rest] = (
      await deadline.pauseFor(() => readPiped(stdin, mostBytes))
    ).split(/\r?\n/);
    if (password === undefined || newPassword === undefined || rest.length > 0)
      throw new SpikeError(
        'data_invalid_input',
        'standard input wants the password and the new one, a line each',
      );
    return { password, newPassword };
  }
  const flags = passwordFile === undefined ? {} : { passwordFile };
  const password = await readPassword(invocation, flags, `Password of ${user}: `);
  const newPassword =
    newPasswordFile === undefined
      ? await readNewPassword(invocation, {}, 'New password: ')
      : await readPasswordFile(newPasswordFile);
  return { password, newPassword };
}
