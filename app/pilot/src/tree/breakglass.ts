import type { Invocation } from '../invocation.ts';
import type { OpenFlags } from '../option.ts';
import type { TreeCommand } from './command.ts';
import { parseSeconds } from './parse.ts';

export function addBreakglass(program: TreeCommand, invocation: Invocation): void {
  const group = program
    .command('breakglass')
    .description('access of an emergency_admin, for a while and with a reason');
  const load = () => import('../command/breakglass.ts');
  group
    .command('open')
    .description('ask for it; it opens when another administrator approves, or when the delay is over')
    .requiredOption('--reason <text>', 'why; whoever approves reads it')
    .option('--ttl <duration>', 'for how long, at most 12h (default: 1h)', parseSeconds)
    .action(async (flags: OpenFlags) => (await load()).openBreakglass(invocation, flags))
    .example('spike breakglass open --reason "the database is down" --ttl 1h', 'as an emergency_admin');
  group
    .command('approve')
    .description('let it open now (a super_admin who is somebody else)')
    .argument('<id>')
    .action(async (id: string) => (await load()).approveBreakglass(invocation, id));
  group
    .command('cancel')
    .description('end one that waits or is open (a super_admin)')
    .argument('<id>')
    .action(async (id: string) => (await load()).cancelBreakglass(invocation, id));
  group
    .command('close')
    .description('end your own')
    .action(async () => (await load()).closeBreakglass(invocation));
  group
    .command('list')
    .description('list them, newest first')
    .action(async () => (await load()).listBreakglasses(invocation));
  group
    .command('report')
    .description('show what was done in one, as the audit has it')
    .argument('[id]', 'the newest by default')
    .action(async (id: string | undefined) => (await load()).reportBreakglass(invocation, id));
}
