import { Argument } from 'commander';
import type { Invocation } from '../invocation.ts';
import type { ContextOptions, StatusOptions } from '../option.ts';
import type { TreeCommand } from './command.ts';

/** What concerns the whole system, and the command itself. */
export function addSystem(program: TreeCommand, invocation: Invocation): void {
  program
    .command('status')
    .description('show what runs, in which state, and who you are')
    .option('--verify', 'have Nexus check every record of its store (takes time)')
    .option('--history', 'every change of the state that is kept, newest first')
    .action(async (options: StatusOptions) => {
      if (options.history === true) await (await import('../command/history.ts')).showHistory(invocation);
      else await (await import('../command/status.ts')).showStatus(invocation, options);
    })
    .example('spike status -f json', 'for a program; exits with 1 when the system is not well')
    .example('spike status --history', 'when it was bootstrapped, unlocked, restored and so on');
  program
    .command('doctor')
    .description('check this machine and the system, and say how to mend what is wrong')
    .action(async () => (await import('../command/doctor.ts')).runDoctor(invocation))
    .example('spike doctor', 'exits with 1 when something is wrong');
  program
    .command('dev')
    .description('run a whole SPIKE on this machine (what `npm start` does)')
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[options...]', 'see `spike dev --help`')
    .action(async (args: string[]) =>
      (await import('../command/part.ts')).becomePart('launcher', args, invocation.env),
    );
  program
    .command('context')
    .description("print the running system's addresses and socket")
    .option('--shell', 'as exports of the variables that any client of SPIKE or SPIFFE reads')
    .action(async (options: ContextOptions) =>
      (await import('../command/context.ts')).showContext(invocation, options),
    )
    .example('eval "$(spike context --shell)"', 'for clients of SPIKE or SPIFFE in this shell');
  program
    .command('completion')
    .description('print a script that completes commands, flags, paths and names of policies')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: 'bash' | 'zsh' | 'fish') => {
      const { readScript } = await import('../complete/script.ts');
      invocation.stdout.write(await readScript(shell));
    })
    .example('eval "$(spike completion bash)"', 'in ~/.bashrc; the same for zsh in ~/.zshrc')
    .example('spike completion fish > ~/.config/fish/completions/spike.fish', 'for fish');
  program
    .command('__complete', { hidden: true })
    .description('what the scripts of completion ask')
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[words...]')
    .action(async (words: string[]) =>
      (await import('../command/complete.ts')).completeWords(invocation, program, words),
    );
}
