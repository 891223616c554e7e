import { Option } from 'commander';
import type { Invocation } from '../invocation.ts';
import type { ApplyFlags, NameFlags, PolicyFilters, PolicyFlags } from '../option.ts';
import type { TreeCommand } from './command.ts';

const flagsOfOne =
  '--name acme-app --path-pattern "^tenants/acme/.*" --spiffeid-pattern "^spiffe://spike\\.ist/app$" --permissions read';

export function addPolicy(program: TreeCommand, invocation: Invocation): void {
  const group = program.command('policy').description('say who may do what on which paths');
  const load = () => import('../command/policy.ts');
  withFields(group.command('create').description('make a policy that does not exist yet'))
    .action(async (flags: PolicyFlags) => (await load()).createPolicy(invocation, flags))
    .example(`spike policy create ${flagsOfOne}`, 'one workload may read what is below tenants/acme');
  withFields(
    group
      .command('apply')
      .description('make policies or replace them, from flags, a file or a directory')
      .argument('[file]', 'YAML, or a directory of *.yaml and *.yml; - is standard input'),
  )
    .option('--file <file>', 'the same as the argument')
    .option('--dry-run', 'say what would change, and change nothing')
    .action(async (file: string | undefined, flags: ApplyFlags) =>
      (await import('../command/apply.ts')).applyPolicies(invocation, file, flags),
    )
    .example('spike policy apply policies/ --dry-run', 'what would change, field by field')
    .example(
      'spike policy apply --file policy.yaml',
      'one file; several documents in it are several policies',
    );
  group
    .command('list')
    .description('list policies')
    .option('--path-pattern <pattern>', 'only those with exactly this path pattern')
    .option('--spiffeid-pattern <pattern>', 'only those with exactly this SPIFFE ID pattern')
    .action(async (filters: PolicyFilters) => (await load()).listPolicies(invocation, filters))
    .example('spike policy list -f json', 'for a program');
  group
    .command('get')
    .description('print a policy')
    .argument('[name]')
    .option('--name <name>', 'the same as the argument')
    .addOption(tenantOption())
    .action(async (name: string | undefined, flags: NameFlags) =>
      (await load()).getPolicy(invocation, name ?? flags.name, flags),
    )
    .example('spike policy get acme-app', 'its patterns and permissions');
  group
    .command('delete')
    .description('delete a policy')
    .argument('[name]')
    .option('--name <name>', 'the same as the argument')
    .addOption(tenantOption())
    .option('-y, --yes', 'do not ask; needed where there is no terminal (or a y on standard input)')
    .action(async (name: string | undefined, flags: NameFlags & { readonly yes?: true }) =>
      (await load()).deletePolicy(invocation, name ?? flags.name, flags),
    )
    .example('spike policy delete acme-app --yes', 'from a script');
}

function tenantOption(): Option {
  return new Option(
    '--tenant <prefix>',
    'whose policy it is: it counts at and below this path alone (a tenant_admin’s is his own)',
  );
}

function withFields(command: TreeCommand): TreeCommand {
  return command
    .addOption(tenantOption())
    .option('--name <name>', 'what the policy is called')
    .option('--path-pattern <pattern>', 'RE2 pattern that the whole path must match')
    .option('--spiffeid-pattern <pattern>', 'RE2 pattern that the whole SPIFFE ID must match')
    .option('--permissions <list>', 'comma list of read, write, list, execute, super');
}
