import type { AdministratorRole } from '@spike/contract';
import { Argument, Option } from 'commander';
import type { Invocation } from '../invocation.ts';
import type { CreateAdminFlags, RoleFlags } from '../option.ts';
import type { TreeCommand } from './command.ts';

/** Written out, since the contract takes too long to load for a help text; a test compares them. */
export const roles: readonly AdministratorRole[] = [
  'super_admin',
  'tenant_admin',
  'auditor',
  'emergency_admin',
];
const tenant = 'path prefix that a tenant_admin is for, such as tenants/acme';

export function addAdministrator(program: TreeCommand, invocation: Invocation): void {
  const group = program.command('admin').description('make administrators, and say what they may do');
  const load = () => import('../command/administrator.ts');
  group
    .command('create')
    .description('make an administrator, with a one-time password that is shown once')
    .argument('<name>')
    .addOption(new Option('--role <role>', 'what it may do').choices(roles).makeOptionMandatory())
    .option('--tenant <path>', tenant)
    .option('--spiffe-id <id>', 'the one that it logs in from; yours unless told')
    .action(async (name: string, flags: CreateAdminFlags) =>
      (await load()).createAdministrator(invocation, name, flags),
    )
    .example('spike admin create ann --role tenant_admin --tenant tenants/acme', 'for one tenant');
  group
    .command('list')
    .description('list administrators')
    .action(async () => (await load()).listAdministrators(invocation));
  group
    .command('show')
    .description('show an administrator')
    .argument('<name>')
    .action(async (name: string) => (await load()).showAdministrator(invocation, name));
  group
    .command('disable')
    .description('keep an administrator out; all sessions of that name end')
    .argument('<name>')
    .action(async (name: string) => (await load()).disableAdministrator(invocation, name));
  group
    .command('enable')
    .description('let an administrator in again')
    .argument('<name>')
    .action(async (name: string) => (await load()).enableAdministrator(invocation, name));
  group
    .command('set-role')
    .description('give an administrator another role; all sessions of that name end')
    .argument('<name>')
    .addArgument(new Argument('<role>').choices(roles))
    .option('--tenant <path>', tenant)
    .action(async (name: string, role: AdministratorRole, flags: RoleFlags) =>
      (await load()).setRole(invocation, name, role, flags),
    );
  group
    .command('reset-password')
    .description('give an administrator a one-time password; all sessions of that name end')
    .argument('<name>')
    .action(async (name: string) => (await load()).resetPassword(invocation, name));
}
