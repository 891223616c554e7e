import type { Invocation } from '../invocation.ts';
import type { ShareFlags } from '../option.ts';
import type { TreeCommand } from './command.ts';

export function addApproval(program: TreeCommand, invocation: Invocation): void {
  const group = program
    .command('approve')
    .description(
      'approve with a recovery share, which never leaves this process; or open the way to the shares',
    );
  const load = () => import('../command/approval.ts');
  group
    .command('answer', { isDefault: true })
    .description(
      'approve with a recovery share, from a hidden prompt or standard input (needs the recover identity); the word `answer` may be left out',
    )
    .argument('<id>', 'what whoever asks was told; see `spike approve list`')
    .option('--of <target>', 'what it is about: then its kind is enough of a name, such as reset-password')
    .option('--share-file <path>', 'the share is in this file')
    .option('--yes', 'with --share-file in a terminal: without being asked whether this is meant')
    .action(async (id: string, flags: ShareFlags) => (await load()).answerApproval(invocation, id, flags))
    .example(
      'spike approve reset-password-abcdefgh234567ij',
      'shows what it is about, and asks for the share',
    )
    .example('spike approve reset-password-abcdefgh234567ij < spike.recovery.1.txt', 'for a share in a pipe');
  group
    .command('list')
    .description(
      'list what waits for holders of recovery shares (recover identity, or the session of a super_admin)',
    )
    .action(async () => (await load()).listApprovals(invocation));
  group
    .command('recover')
    .description(
      'let one SPIFFE ID take the recovery shares out with `spike operator recover`: once, within 10 minutes',
    )
    .requiredOption('--for <spiffe-id>', 'the ID that is let, exactly')
    .action(async (flags: { for: string }) => (await load()).openRecovery(invocation, flags.for))
    .example('spike approve recover --for spiffe://spike.ist/spike/pilot/role/recover', 'for the common ID');
}
