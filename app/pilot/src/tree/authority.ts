import { Option } from 'commander';
import type { Invocation } from '../invocation.ts';
import type { EntryFlags, RelationshipFlags } from '../option.ts';
import type { TreeCommand } from './command.ts';
import { collect } from './parse.ts';

export function addAuthority(program: TreeCommand, invocation: Invocation): void {
  const group = program.command('authority').description('the identity authority of this machine');
  const load = () => import('../command/authority.ts');
  group
    .command('run')
    .description('run a program that holds this SPIFFE ID and no other')
    .argument('<id>', 'spiffe://… or the path alone')
    .argument('<command...>', 'after --')
    .passThroughOptions()
    .action(async (id: string, command: string[]) => (await load()).runWithIdentity(invocation, id, command))
    .example('spike authority run /workload/app -- bin/node app.ts', 'a program as a workload of its own');
  group
    .command('serve')
    .description('run the authority alone, for SPIFFE without SPIKE (`npm start` runs one of its own)')
    .allowUnknownOption()
    .passThroughOptions()
    .argument('[options...]', 'see `spike authority serve --help`')
    .action(async (args: string[]) =>
      (await import('../command/part.ts')).becomePart('authority', args, invocation.env),
    );
  const entry = group.command('entry').description('registration entries: who gets which SPIFFE ID');
  entry
    .command('list')
    .description('list all entries')
    .action(async () => (await load()).listEntries(invocation));
  entry
    .command('show')
    .description('print one entry')
    .argument('<entry>', 'its id')
    .action(async (id: string) => (await load()).showEntry(invocation, id));
  entry
    .command('create')
    .description('make an entry; without a selector it is bound to your uid')
    .requiredOption('--spiffe-id <id>', 'spiffe://… or the path alone')
    .option(
      '--selector <type:value>',
      'uid, gid, path, sha256 or pid; all that are given must match',
      collect,
      [],
    )
    .option(
      '--federates-with <trust-domain>',
      'a trust domain whose bundle its holders get, too; may be given several times',
      collect,
      [],
    )
    .action(async (flags: EntryFlags) => (await load()).createEntry(invocation, flags))
    .example('spike authority entry create --spiffe-id /spike/pilot/role/recover', 'you may recover shares');
  entry
    .command('federate')
    .description('say whose bundles the holders of an entry get beside their own, instead of those of before')
    .argument('<entry>', 'its id, or its SPIFFE ID where no other entry has it')
    .argument('[trust-domains...]', 'none: its own alone')
    .action(async (id: string, names: string[]) =>
      (await loadFederation()).federateEntry(invocation, id, names),
    )
    .example(
      'spike authority entry federate /spike/nexus partner.example',
      'Nexus believes workloads of that one, too',
    );
  entry
    .command('delete')
    .description('delete an entry; whoever holds its identity loses it at once')
    .argument('<entry>', 'its id')
    .option('-y, --yes', 'do not ask (it asks in a terminal only)')
    .action(async (id: string, flags: { yes?: true }) => (await load()).deleteEntry(invocation, id, flags));
  addFederation(group, invocation);
}

const loadFederation = () => import('../command/federation.ts');

function addFederation(group: TreeCommand, invocation: Invocation): void {
  group
    .command('bundle')
    .description('print the SPIFFE bundle of this trust domain, with which others believe it')
    .action(async () => (await loadFederation()).showBundle(invocation))
    .example('spike authority bundle > here.json', 'to give to the operator of another trust domain');
  const federation = group
    .command('federation')
    .description('other trust domains: whose workloads can be believed here');
  federation
    .command('list')
    .description('list them, with what is known of each')
    .action(async () => (await loadFederation()).listRelationships(invocation));
  federation
    .command('set')
    .description('say the bundle of a trust domain, where to ask for it, or both')
    .argument('<trust-domain>', 'its name')
    .option('--bundle <file>', 'its SPIFFE bundle, from its operator and not from the network')
    .option('--url <url>', 'its bundle endpoint')
    .addOption(
      new Option('--profile <profile>', 'how the endpoint proves itself').choices([
        'https_web',
        'https_spiffe',
      ]),
    )
    .option('--endpoint-id <id>', 'the SPIFFE ID of the endpoint; with https_spiffe')
    .action(async (name: string, flags: RelationshipFlags) =>
      (await loadFederation()).setRelationship(invocation, name, flags),
    )
    .example(
      'spike authority federation set partner.example --bundle partner.json',
      'a bundle that stays as it is',
    )
    .example(
      'spike authority federation set partner.example --bundle partner.json --url https://host:8443/ ' +
        '--profile https_spiffe --endpoint-id spiffe://partner.example/spike/authority',
      'one that is kept current',
    );
  federation
    .command('delete')
    .description('believe nobody of a trust domain any more, from now on')
    .argument('<trust-domain>', 'its name')
    .option('-y, --yes', 'do not ask (it asks in a terminal only)')
    .action(async (name: string, flags: { yes?: true }) =>
      (await loadFederation()).deleteRelationship(invocation, name, flags),
    );
}
