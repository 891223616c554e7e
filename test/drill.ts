import assert from 'node:assert/strict';
import { join } from 'node:path';
import { newPassword } from './admin.ts';
import { readCommands, runCommand, typeCommand } from './page.ts';
import { repository, type System } from './system.ts';
import type { Line } from './terminal.ts';

/** What a person answers to a command that has this in it. */
export type Answers = Readonly<Record<string, readonly Line[]>>;

const training = 'training';

/** Somebody who does what a page of the runbook says, command by command. */
export class Drill {
  /** What the page leaves to its reader, such as `$SHARE`. */
  readonly variables: Record<string, string>;
  /** Another one after a restart. */
  system: System;
  readonly #page: string;

  constructor(system: System, page: string, variables: Readonly<Record<string, string>> = {}) {
    this.system = system;
    this.#page = page;
    this.variables = { NAME: 'admin', ...variables };
  }

  /** Somebody else at the same page, with a session of their own. */
  as(token: string): Drill {
    return new Drill(this.system, this.#page, { ...this.variables, SPIKE_TOKEN: token });
  }

  /** Runs the commands of a section, and answers all that they printed. */
  async run(section: string, answers: Answers = {}): Promise<string> {
    return await this.#run(this.#page, section, answers);
  }

  /** The same from the exercises: what makes the loss, shows that it is real, or that it is over. */
  async train(section: string, answers: Answers = {}): Promise<string> {
    return await this.#run(training, section, answers);
  }

  /** Where the launcher keeps a share of this number, which plays its holder. */
  shareOf(id: number, folder = 'recovery'): string {
    return join(this.system.home.root, folder, `spike.recovery.${id}.txt`);
  }

  /** As the training sets it up; answers the password of `admin`. */
  async setUp(): Promise<string> {
    const password = newPassword();
    const printed = await this.train('Set up', { 'spike init': asFirst(password) });
    assert.ok(printed.includes(secret), printed);
    return password;
  }

  /** A system that is new gets its first administrator, and a backup brings the old one back. */
  async beginAnew(section: string): Promise<{ readonly shown: string; readonly password: string }> {
    const password = newPassword();
    const shown = await this.run(section, {
      'spike init': asFirst(password),
      'backup restore': [[/Bring these back\?/, 'y']],
    });
    return { shown, password };
  }

  async #run(page: string, section: string, answers: Answers): Promise<string> {
    const commands = await readCommands(`doc/runbook/${page}.md`, section);
    assert.ok(commands.length > 0, `${page}, ${section}`);
    let printed = '';
    for (const command of commands) {
      const [, lines] = Object.entries(answers).find(([part]) => command.includes(part)) ?? [];
      if (lines === undefined) {
        const options = { env: this.variables };
        const { stdout, stderr } = await runCommand(this.system, command, repository, options);
        printed += stdout + stderr;
      } else printed += await typeCommand(this.system, command, lines, this.variables);
    }
    return printed;
  }
}

/** What the training stores. */
export const secret = 'a secret for training\n';

/** To the question for a password, to those for another one in its place, and to those of `init`. */
export const asPassword = (password: string): readonly Line[] => [[/Password of \S+: /, password]];
export const asOneTime = (oneTime: string, own: string): readonly Line[] => [
  ...asPassword(oneTime),
  [/New password: /, own],
  [/The same again: /, own],
];
const asFirst = (password: string): readonly Line[] => [
  [/Choose a password for \S+: /, password],
  [/The same again: /, password],
];

/** What a command printed once. */
export function find(text: string, pattern: RegExp): string {
  const [, found] = pattern.exec(text) ?? [];
  assert(found !== undefined, `${String(pattern)} is not in\n${text}`);
  return found;
}

export const oneTimeOf = (printed: string): string => find(printed, /One-time password: (\S+)/);

/** Somebody else logs in; answers the token. */
export async function logIn(system: System, name: string, lines: readonly Line[]): Promise<string> {
  const line = `npx spike login --user ${name} --print-token`;
  return find(await typeCommand(system, line, lines), /(spk_\w+)/);
}

/** Files that outlive a system. */
export function backupIn(directory: string): Readonly<Record<string, string>> {
  return { BACKUP: join(directory, 'today.age'), IDENTITY: join(directory, 'backup.key') };
}
