import { SpikeError } from '@spike/error';
import type { Invocation } from '../invocation.ts';
import { askLine } from './line.ts';

/** Of what a script may send before its line ends. */
const mostBytes = 4096;

/** Asks in a terminal; only `y` or `Y` is a yes. */
export async function confirm(invocation: Invocation, question: string): Promise<boolean> {
  return isYes(await askLine(invocation, textOf(question), visibleOf(invocation)));
}

/**
 * For what cannot be taken back: asks in a terminal, and elsewhere wants `--yes`. With `takesPipe` a line on standard
 * input answers as well, as scripts of the Go command give it.
 */
export async function confirmFinal(
  invocation: Invocation,
  question: string,
  { yes, takesPipe }: { readonly yes: boolean; readonly takesPipe: boolean },
): Promise<boolean> {
  if (yes) return true;
  if (invocation.stdin.isTTY) return await confirm(invocation, question);
  const line = takesPipe ? await readLine(invocation) : '';
  if (line !== '') {
    visibleOf(invocation).write(textOf(question));
    return isYes(line);
  }
  throw new SpikeError('data_invalid_input', 'this cannot be taken back: outside of a terminal, say --yes');
}

/** Standard output, as the Go command does it, where no program reads the answer there. */
function visibleOf({ stdout, stderr, settings }: Invocation): NodeJS.WritableStream {
  return settings.format === 'human' ? stdout : stderr;
}

function textOf(question: string): string {
  return `${question} (y/N): `;
}

async function readLine({ stdin, deadline }: Invocation): Promise<string> {
  return await deadline.pauseFor(async () => {
    let text = '';
    for await (const chunk of stdin) {
      text += String(chunk);
      if (text.includes('\n') || text.length > mostBytes) break;
    }
    return text.split('\n', 1)[0]?.trim() ?? '';
  });
}

function isYes(line: string): boolean {
  return /^[yY]$/.test(line.trim());
}
