import { SpikeError } from '@spike/error';
import { firstName, keep, logIn, plainWish, type Begun } from '../access/login.ts';
import { readToken, removeToken } from '../access/token-file.ts';
import type { Invocation } from '../invocation.ts';
import type { LoginFlags, LogoutFlags } from '../option.ts';
import { show, showDone } from '../output/show.ts';
import { openSession, type Session } from '../session.ts';

/** Exchanges the password for a token, which the commands that follow find in a file. */
export async function login(invocation: Invocation, flags: LoginFlags): Promise<void> {
  const { ttl, uses, scope, printToken } = flags;
  await using session = await openSession(invocation, 'superuser', { administrator: 'none' });
  // Whoever was here last; a file that cannot be read is replaced.
  const last = await readToken(invocation.env).catch(() => undefined);
  const user = flags.user ?? last?.administrator ?? firstName;
  const wish = {
    ...plainWish,
    user,
    ...(ttl === undefined ? {} : { ttlSeconds: ttl }),
    ...(uses === undefined ? {} : { uses }),
    ...(scope === undefined ? {} : { scope }),
  };
  const begun = await logIn(invocation, session, wish, flags);
  const file = printToken === true ? undefined : await keep(invocation, begun, session.url);
  await showBegun(invocation, begun, file, `Logged in as ${user}.`);
}

/** The token itself is shown to whoever asked for it, who gets no file then. */
export async function showBegun(
  invocation: Invocation,
  { token, session }: Begun,
  file: string | undefined,
  sentence: string,
): Promise<void> {
  await show(invocation, {
    human: () =>
      file === undefined
        ? `${token}\n`
        : `${sentence} The session ends at ${session.expiresAt}, or when it is not used for a while.\n`,
    value: { ...session, ...(file === undefined ? { token } : { tokenFile: file }) },
  });
}

export async function logout(invocation: Invocation, flags: LogoutFlags): Promise<void> {
  await using session = await openSession(invocation, 'superuser', { administrator: 'shown' });
  const ended = await end(session, flags.all === true);
  await removeToken(invocation.env);
  const sentences = ['There was no session any more.', 'Logged out.'];
  await showDone(invocation, sentences[ended] ?? `Logged out of ${ended} sessions.`, { ended });
}

/** A session that is over already is what was asked for; for all of them one is needed. */
async function end({ client, call }: Session, all: boolean): Promise<number> {
  try {
    return (await client.logout({ all }, call)).ended;
  } catch (error) {
    if (!all && error instanceof SpikeError && error.code === 'session_required') return 0;
    throw error;
  }
}
