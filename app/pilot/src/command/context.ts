import { contextVariables, homeOf, readContext } from '@spike/config';
import { SpikeError } from '@spike/error';
import type { Invocation } from '../invocation.ts';
import { parseFormat, toJson, toYaml } from '../output/format.ts';
import type { ContextOptions } from '../option.ts';

export async function showContext(invocation: Invocation, options: ContextOptions): Promise<void> {
  const home = homeOf(invocation.env);
  const context = await readContext(home);
  if (context === undefined) {
    throw new SpikeError(
      'net_peer_connection',
      `no system was started in ${home.root}; start one with npm start`,
    );
  }
  const variables = contextVariables(home, context);
  if (options.shell === true) {
    for (const [name, value] of Object.entries(variables)) {
      invocation.stdout.write(`export ${name}=${quoteShell(value)}\n`);
    }
    return;
  }
  const shown = { home: home.root, ...context };
  switch (parseFormat(options.format)) {
    case 'json':
      invocation.stdout.write(toJson(shown, 2));
      return;
    case 'yaml':
      invocation.stdout.write(await toYaml(shown));
      return;
    case 'human':
      for (const [name, value] of Object.entries(variables)) invocation.stdout.write(`${name}: ${value}\n`);
  }
}

function quoteShell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
