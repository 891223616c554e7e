import type { Invocation } from '../invocation.ts';
import { paintFor, type Paint } from './color.ts';
import { toJson, toYaml } from './format.ts';

/** One answer of a command in its three forms. */
export interface Shown {
  readonly human: (paint: Paint) => string;
  /** What a program reads, as JSON and as YAML. */
  readonly value: unknown;
  /** Where the YAML of the Go command has other names than its JSON. */
  readonly yaml?: unknown;
  /** Blanks for each level of JSON; the Go command has 4 for a secret and 2 for the rest. */
  readonly indent?: 2 | 4;
  /** Through a pager when a terminal is too low for it. Never for the values of secrets: a pager may keep what it shows. */
  readonly isPaged?: boolean;
}

/** Prints in the form that was asked for. */
export async function show(invocation: Invocation, shown: Shown): Promise<void> {
  const text = await format(invocation, shown);
  const { stdout, settings } = invocation;
  if (shown.isPaged === true && stdout.isTTY && settings.pager && countLines(text) > stdout.rows) {
    const { page } = await import('./pager.ts');
    await page(invocation, text);
    return;
  }
  stdout.write(text);
}

async function format(invocation: Invocation, shown: Shown): Promise<string> {
  switch (invocation.settings.format) {
    case 'json':
      return toJson(shown.value, shown.indent ?? 2);
    case 'yaml':
      return await toYaml(shown.yaml ?? shown.value);
    case 'human':
      return shown.human(paintFor(invocation.stdout, invocation));
  }
}

/** What a command did, where the Go command says `OK` or a sentence. */
export async function showDone(invocation: Invocation, sentence: string, value: unknown): Promise<void> {
  await show(invocation, { human: () => `${sentence}\n`, value });
}

function countLines(text: string): number {
  return text.split('\n').length;
}
