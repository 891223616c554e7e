import { contextVariables, homeOf, readContext } from '@spike/config';
import { SpikeError } from '@spike/error';
import { quote } from '@spike/host';
import type { Invocation } from '../invocation.ts';
import { Headlined } from '../output/headline.ts';
import { show } from '../output/show.ts';
import type { ContextOptions } from '../option.ts';

export async function showContext(invocation: Invocation, options: ContextOptions): Promise<void> {
  const home = homeOf(invocation.env);
  const context = await readContext(home);
  if (context === undefined) {
    const message = `nothing was started in ${home.root}; start it with npm start`;
    throw new Headlined('there is no running system', new SpikeError('net_peer_connection', message));
  }
  const variables = contextVariables(home, context);
  if (options.shell === true) {
    for (const [name, value] of Object.entries(variables)) {
      invocation.stdout.write(`export ${name}=${quote(value)}\n`);
    }
    return;
  }
  await show(invocation, {
    human: () =>
      Object.entries(variables)
        .map(([name, value]) => `${name}: ${value}\n`)
        .join(''),
    value: { home: home.root, ...context },
  });
}
