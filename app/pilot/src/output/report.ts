import { SpikeError } from '@spike/error';
import type { Invocation } from '../invocation.ts';
import { paintFor } from './color.ts';
import { describeFailure, formatFailure } from './failure.ts';

/** Tells on standard error what went wrong, in the form that was asked for, and returns the exit code. */
export async function reportFailure(thrown: unknown, invocation: Invocation): Promise<number> {
  const { format } = invocation.settings;
  if (isCommanderError(thrown)) {
    if (thrown.exitCode === 0) return 0;
    // For people it has been told, with the help of the command.
    if (format === 'human') return 2;
    const message = thrown.code === 'commander.help' ? 'name a command; --help lists them' : thrown.message;
    const usage = new SpikeError('data_invalid_input', message.replace(/^error: /, ''));
    invocation.stderr.write(await formatFailure(describeFailure(usage), format));
    return 2;
  }
  const failure = describeFailure(thrown);
  invocation.stderr.write(await formatFailure(failure, format, paintFor(invocation.stderr, invocation)));
  return failure.exit;
}

function isCommanderError(
  error: unknown,
): error is Error & { readonly exitCode: number; readonly code: string } {
  return (
    error instanceof Error &&
    'exitCode' in error &&
    'code' in error &&
    String(error.code).startsWith('commander.')
  );
}
