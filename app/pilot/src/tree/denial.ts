import type { Invocation } from '../invocation.ts';
import type { DenyFlags, LiftFlags } from '../option.ts';
import type { TreeCommand } from './command.ts';
import { parseEnd } from './parse.ts';

const subject = 'one SPIFFE ID, or with /* behind it all below that path';

export function addDenial(program: TreeCommand, invocation: Invocation): void {
  const group = program
    .command('deny')
    .description('refuse a SPIFFE ID from its next request on, whatever policies say; or take that back');
  const load = () => import('../command/denial.ts');
  group
    .command('put', { isDefault: true })
    .description(
      'refuse a SPIFFE ID, and cut its connections; never SPIKE’s own identities, and no whole trust domain; the word `put` may be left out',
    )
    .argument('<spiffe-id>', subject)
    .requiredOption(
      '--reason <text>',
      'why; administrators and the audit’s readers see it, the workload does not',
    )
    .option(
      '--until <time>',
      'when it ends by itself: 2026-05-01T12:00:00Z, or 30m, 12h, 7d from now',
      parseEnd,
    )
    .option('-y, --yes', 'do not ask in a terminal')
    .action(async (id: string, flags: DenyFlags) => (await load()).denyIdentity(invocation, id, flags))
    .example('spike deny spiffe://spike.ist/workload/app --reason "its host is taken over"', 'one workload')
    .example(
      'spike deny "spiffe://spike.ist/workload/ci/*" --until 2h --reason "build host suspected"',
      'all below a path, for two hours; quoted, because a shell may read the star',
    );
  group
    .command('list')
    .description('list what is denied now, newest first')
    .action(async () => (await load()).listDenials(invocation))
    .example('spike deny list -f json', 'for a program');
  group
    .command('lift')
    .description('let it be served again as policies say')
    .argument('<denied>', 'as `spike deny list` writes it')
    .option('-y, --yes', 'do not ask in a terminal')
    .action(async (id: string, flags: LiftFlags) => (await load()).liftDenial(invocation, id, flags))
    .example('spike deny lift spiffe://spike.ist/workload/app', 'from the next request on');
}
