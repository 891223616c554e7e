import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { read, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { openTerminal } from '@spike/host/testing';
import { join } from 'node:path';
import { learnCommand, learnTyped, searchPrinted, wordsOf } from './known/command.ts';
import { repository, until, type System } from './system.ts';

const readDescriptor = promisify(read);
const longestMs = 60_000;
/** What no program writes. */
const lastWord = '\u001c that was all \u001c';

/** What a person types when the terminal shows this. */
export type Line = readonly [shows: RegExp, types: string];

export interface Screen {
  readonly code: number | null;
  /** All that the terminal showed, without the carriage returns that it adds. */
  readonly text: string;
}

/** Runs the `spike` command in a pseudo-terminal, for a person who waits for each question before he answers it. */
export async function runInTerminal(
  system: System,
  args: readonly string[],
  lines: readonly Line[],
  env: Readonly<Record<string, string>> = {},
): Promise<Screen> {
  const program = [process.execPath, join(repository, 'bin', 'spike.mjs'), ...args];
  return await runAtTerminal(program, lines, { SPIKE_HOME: system.home.root, ...env });
}

/** The same with any program and its arguments. */
export async function runAtTerminal(
  [file = '', ...args]: readonly string[],
  lines: readonly Line[],
  env: Readonly<Record<string, string>>,
): Promise<Screen> {
  const run = { words: wordsOf(args), env };
  learnCommand(run);
  for (const [shows, types] of lines) learnTyped(shows, types);
  using terminal = openTerminal();
  const { device } = terminal;
  const child = spawn(file, args, {
    cwd: repository,
    env: { ...process.env, NO_COLOR: '1', TERM: 'xterm', ...env },
    stdio: [device, device, device],
  });
  const ended = once(child, 'exit');
  const killer = setTimeout(() => child.kill('SIGKILL'), longestMs);
  let text = '';
  let isOver = false;
  const reading = (async () => {
    const buffer = Buffer.alloc(65_536);
    while (!isOver) {
      const { bytesRead } = await readDescriptor(terminal.controller, buffer, 0, buffer.length, null);
      text += buffer.toString('utf8', 0, bytesRead);
    }
  })();
  try {
    let seen = 0;
    for (const [shows, types] of lines) {
      await until(`the terminal shows ${String(shows)}`, () => {
        assert.equal(child.exitCode, null, `it ended before it showed ${String(shows)}:\n${text}`);
        const found = shows.exec(text.slice(seen));
        if (found === null) return false;
        seen += found.index + found[0].length;
        return true;
      });
      writeSync(terminal.controller, `${types}\n`);
    }
    await ended;
    // Behind all that the program wrote: on a busy machine it is read later than the program ends.
    writeSync(device, lastWord);
    const end = await until(
      'all is read that it wrote',
      () => text.includes(lastWord) && text.indexOf(lastWord),
    );
    text = text.slice(0, end).replaceAll('\r', '');
    searchPrinted(run, text);
    return { code: child.exitCode, text };
  } finally {
    clearTimeout(killer);
    child.kill('SIGKILL');
    isOver = true;
    // Wakes the reader, which is behind a read that nothing would end.
    writeSync(device, '\n');
    await reading;
  }
}
