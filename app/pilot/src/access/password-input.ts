import { SpikeError } from '@spike/error';
import { readSmallFile } from '../input/file.ts';
import { decode, promptHidden, readPiped } from '../input/hidden.ts';
import type { Invocation } from '../invocation.ts';
import type { PasswordFlags } from '../option.ts';

/** 128 characters in any spelling. */
const mostBytes = 65_536;

/** A password that somebody has. Throws SpikeError `data_invalid_input` outside of a terminal when none is given. */
export async function readPassword(
  invocation: Invocation,
  flags: PasswordFlags,
  question: string,
): Promise<string> {
  return (await readGivenPassword(invocation, flags)) ?? (await ask(invocation, question));
}

/** A password that somebody chooses: typed twice, unless it is given. */
export async function readNewPassword(
  invocation: Invocation,
  flags: PasswordFlags,
  question: string,
): Promise<string> {
  const given = await readGivenPassword(invocation, flags);
  if (given !== undefined) return given;
  const first = await ask(invocation, question);
  const second = await ask(invocation, 'The same again: ');
  if (first !== second)
    throw new SpikeError('data_invalid_input', 'the two are not the same; nothing was done');
  return first;
}

/** Undefined when there is none among the arguments. Throws SpikeError `data_invalid_input` for more than one. */
export async function readGivenPassword(
  { stdin, stderr, deadline }: Invocation,
  { password, passwordStdin, passwordFile }: PasswordFlags,
): Promise<string | undefined> {
  const given = [password, passwordStdin, passwordFile].filter((flag) => flag !== undefined);
  if (given.length > 1)
    throw new SpikeError(
      'data_invalid_input',
      'give the password in one way: file, standard input or argument',
    );
  if (password !== undefined) {
    // In any case, and not in a terminal alone: a script that does this has to learn it, too.
    stderr.write(
      "Warning: the password was visible to other processes and may be in your shell's history; leave --password out, or use --password-file or --password-stdin.\n",
    );
    return password;
  }
  if (passwordFile !== undefined) return await readPasswordFile(passwordFile);
  if (passwordStdin === true) return await deadline.pauseFor(() => readPiped(stdin, mostBytes));
  return undefined;
}

/** Without one line break at its end. */
export async function readPasswordFile(path: string): Promise<string> {
  const bytes = await readSmallFile(path, mostBytes);
  try {
    return decode(bytes, path).replace(/\r?\n$/, '');
  } finally {
    bytes.fill(0);
  }
}

async function ask({ stdin, stderr, deadline, signal }: Invocation, question: string): Promise<string> {
  if (!stdin.isTTY)
    throw new SpikeError(
      'data_invalid_input',
      'outside of a terminal nobody can be asked for a password: use --password-file or --password-stdin',
    );
  const typed = await deadline.pauseFor(() => promptHidden(question, stdin, stderr, signal));
  if (typed === '') throw new SpikeError('data_invalid_input', 'nothing was typed; nothing was done');
  return typed;
}
