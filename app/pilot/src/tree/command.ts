import { Command } from 'commander';

export interface Example {
  readonly line: string;
  readonly says: string;
}

/** A command that knows examples of its use, for its help and for the reference. */
export class TreeCommand extends Command {
  readonly examples: Example[] = [];

  override createCommand(name?: string): TreeCommand {
    return new TreeCommand(name);
  }

  example(line: string, says: string): this {
    this.examples.push({ line, says });
    if (this.examples.length === 1) this.addHelpText('after', () => `\nExamples:\n${this.#formatExamples()}`);
    return this;
  }

  #formatExamples(): string {
    return this.examples.map(({ line, says }) => `  # ${says}\n  ${line}`).join('\n');
  }
}

/** The words by which a command is called, without those of the program. */
export function pathOf(command: Command): readonly string[] {
  return command.parent === null ? [] : [...pathOf(command.parent), command.name()];
}

/** Every command that does something itself, in the order of the help. */
export function leavesOf(command: TreeCommand): readonly TreeCommand[] {
  const children = command.commands.filter((child) => child instanceof TreeCommand);
  return children.length === 0 ? [command] : children.flatMap(leavesOf);
}
