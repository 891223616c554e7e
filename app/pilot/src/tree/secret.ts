import type { Invocation } from '../invocation.ts';
import type {
  DeleteFlags,
  DestroyFlags,
  GetFlags,
  ListFlags,
  MetadataFlags,
  PutFlags,
  VersionFlags,
} from '../option.ts';
import type { TreeCommand } from './command.ts';
import { collect, parseCount, parseCounts } from './parse.ts';

export function addSecret(program: TreeCommand, invocation: Invocation): void {
  const group = program.command('secret').description('store, read, list and delete secrets');
  addValues(group, invocation);
  addVersions(group, invocation);
  addMetadata(group, invocation);
}

function addValues(group: TreeCommand, invocation: Invocation): void {
  const load = () => import('../command/secret.ts');
  group
    .command('put')
    .description('store a new version of a secret; all its values are replaced')
    .argument('<path>', 'such as tenants/acme/db')
    .argument('[values...]', 'key=value, key=- (hidden prompt or standard input) or key=@file')
    .option('--from-env-file <file>', 'values from lines KEY=VALUE; - is standard input')
    .option('--from-json <file>', 'values from an object of texts; - is standard input')
    .option('--cas <version>', 'only if this is the current version; 0: only if there is none', parseCount)
    .option('--max-versions <number>', 'keep so many versions of this secret', parseCount)
    .action(async (path: string, values: string[], flags: PutFlags) =>
      (await load()).putSecret(invocation, path, values, flags),
    )
    .example('spike secret put tenants/acme/db user=app pass=-', 'asks for the password, which nobody sees')
    .example(
      'spike secret put tenants/acme/tls key=@key.pem cert=@cert.der',
      'values from files, binary ones too',
    )
    .example(
      'spike secret put tenants/acme/db --from-env-file .env --cas 3',
      'fails if version 3 is not current',
    );
  group
    .command('get')
    .description('print a secret, or one value of it')
    .argument('<path>')
    .argument('[key]', 'print this value alone')
    .option('-v, --version <number>', 'version to read; 0 is the current one', parseCount, 0)
    .option('--field <key>', 'the same as the argument key')
    .option('--raw', 'the bytes of one value as they are, without a line break; of binary ones, too')
    .option('--force', 'with --raw: binary values onto a terminal as well')
    .action(async (path: string, key: string | undefined, flags: GetFlags) =>
      (await load()).getSecret(invocation, path, key, flags),
    )
    .example('spike secret get tenants/acme/db pass', 'one value')
    .example('spike secret get tenants/acme/tls --field cert --raw > cert.der', 'its bytes, exactly')
    .example('spike secret get tenants/acme/db -v 2 -f json', 'an earlier version, for a program');
  group
    .command('list')
    .description('list the paths that you may list, one level of them')
    .argument('[prefix]', 'what is below this path; all by default')
    .option('-r, --recursive', 'all levels')
    .option('--tree', 'all levels, drawn as a tree')
    .action(async (prefix: string | undefined, flags: ListFlags) =>
      (await import('../command/list.ts')).listSecrets(invocation, prefix, flags),
    )
    .example('spike secret list tenants', 'one level; what ends with / has something below')
    .example('spike secret list --recursive -f json', 'every path, for a program');
}

function addVersions(group: TreeCommand, invocation: Invocation): void {
  const load = () => import('../command/version.ts');
  group
    .command('delete')
    .description('mark versions of a secret as deleted; undelete brings them back')
    .argument('<path>')
    .option('-v, --versions <numbers>', 'comma list; 0 is the current one', parseCounts, [0])
    .option('-y, --yes', 'do not ask (it asks in a terminal only)')
    .action(async (path: string, flags: DeleteFlags) => (await load()).deleteSecret(invocation, path, flags))
    .example('spike secret delete tenants/acme/db', 'the current version')
    .example('spike secret delete tenants/acme/db -v 1,2 --yes', 'two versions, without a question');
  group
    .command('undelete')
    .description('bring deleted versions back')
    .argument('<path>')
    .option('-v, --versions <numbers>', 'comma list; 0 is the newest deleted one', parseCounts, [0])
    .action(async (path: string, flags: VersionFlags) =>
      (await load()).undeleteSecret(invocation, path, flags),
    )
    .example('spike secret undelete tenants/acme/db', 'the newest deleted version');
  group
    .command('destroy')
    .description('remove versions, or a whole secret, for good')
    .argument('<path>')
    .option('-v, --versions <numbers>', 'comma list', parseCounts)
    .option('--all', 'the whole secret with its metadata')
    .option('-y, --yes', 'do not ask; needed where there is no terminal')
    .action(async (path: string, flags: DestroyFlags) =>
      (await load()).destroySecret(invocation, path, flags),
    )
    .example('spike secret destroy tenants/acme/db --versions 1,2', 'two versions, after a question')
    .example('spike secret destroy tenants/acme/db --all --yes', 'everything, from a script');
}

function addMetadata(group: TreeCommand, invocation: Invocation): void {
  const metadata = group.command('metadata').description('versions of a secret, and what is noted about it');
  const load = () => import('../command/metadata.ts');
  metadata
    .command('get')
    .description('print all versions, deleted ones included, and what is noted')
    .argument('<path>')
    .option('-v, --version <number>', 'fail if this version is not there; 0 is any', parseCount, 0)
    .action(async (path: string, flags: { version: number }) =>
      (await load()).getMetadata(invocation, path, flags.version),
    )
    .example('spike secret metadata get tenants/acme/db -f json', 'for a program');
  metadata
    .command('set')
    .description('note something about a secret; what is not named stays as it is')
    .argument('<path>')
    .option('--max-versions <number>', 'keep so many versions', parseCount)
    .option('--owner <text>', 'who answers for it; empty removes it')
    .option('--description <text>', 'empty removes it')
    .option('--label <key=value>', 'add or replace a label; may be given several times', collect, [])
    .option('--remove-label <key>', 'may be given several times', collect, [])
    .action(async (path: string, flags: MetadataFlags) => (await load()).setMetadata(invocation, path, flags))
    .example(
      'spike secret metadata set tenants/acme/db --owner payments --label tier=1',
      'who to ask, and a label',
    )
    .example('spike secret metadata set tenants/acme/db --max-versions 3', 'older ones go at once');
}
