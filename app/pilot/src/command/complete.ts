import type { Command } from 'commander';
import { findCandidates, formatCompletion, type Lookup } from '../complete/candidate.ts';
import { unquote } from '../complete/word.ts';
import type { Invocation } from '../invocation.ts';

/** Somebody waits with a finger on the key. */
const patienceMs = 1_500;
const mostCandidates = 1000;

/** Prints what the last word can become. Whatever goes wrong, a person who is typing is not told. */
export async function completeWords(
  invocation: Invocation,
  program: Command,
  words: readonly string[],
): Promise<void> {
  invocation.settings.timeoutMs = patienceMs;
  invocation.settings.trace = false;
  invocation.deadline.start(patienceMs);
  const completion = await findCandidates(program, words.map(unquote), openLookup(invocation));
  invocation.stdout.write(formatCompletion(completion));
}

function openLookup(invocation: Invocation): Lookup {
  const quietly = async (look: () => Promise<readonly string[]>): Promise<readonly string[]> => {
    try {
      return await look();
    } catch {
      return [];
    }
  };
  return {
    paths: (prefix) =>
      quietly(async () => {
        const { openSession } = await import('../session.ts');
        await using session = await openSession(invocation, 'superuser', { administrator: 'shown' });
        // Of less than all that fits, a shell would take the only one for the only one there is.
        const { readList } = await import('./list.ts');
        return await readList(session, { prefix, recursive: false }, mostCandidates);
      }),
    policies: () =>
      quietly(async () => {
        const { openSession } = await import('../session.ts');
        await using session = await openSession(invocation, 'superuser', { administrator: 'shown' });
        const { readNames } = await import('./policy.ts');
        return (await readNames(session)).slice(0, mostCandidates);
      }),
    denied: () =>
      quietly(async () => {
        const { openSession } = await import('../session.ts');
        await using session = await openSession(invocation, 'superuser', { administrator: 'shown' });
        const { readDenied } = await import('./denial.ts');
        return (await readDenied(session)).slice(0, mostCandidates);
      }),
  };
}
