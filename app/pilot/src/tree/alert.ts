import type { Invocation } from '../invocation.ts';
import type { AlertListFlags } from '../option.ts';
import type { TreeCommand } from './command.ts';
import { parseCount } from './parse.ts';

export function addAlert(program: TreeCommand, invocation: Invocation): void {
  const group = program.command('alert').description('see what Nexus noticed, and say that it was seen to');
  const load = () => import('../command/alert.ts');
  group
    .command('list')
    .description('list open alerts, newest first')
    .option('--all', 'those that were acknowledged, too')
    .option('--limit <number>', 'as many at most', parseCount, 1000)
    .action(async (flags: AlertListFlags) => (await load()).listAlerts(invocation, flags))
    .example('spike alert list -f json', 'for a program');
  group
    .command('show')
    .description('print an alert, what its kind means and what to do')
    .argument('<id>', 'its number', parseCount)
    .action(async (id: number) => (await load()).showAlert(invocation, id))
    .example('spike alert show 3', 'with what to do');
  group
    .command('ack')
    .description('say that you have seen to an alert; your name and the time are kept with it')
    .argument('<id>', 'its number', parseCount)
    .action(async (id: number) => (await load()).acknowledgeAlert(invocation, id))
    .example('spike alert ack 3', 'when there is nothing left to do about it');
}
