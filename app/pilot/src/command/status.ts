import { homeOf, readContext } from '@spike/config';
import { toSpikeError } from '@spike/error';
import { AuthorityClient, type AuthorityStatus } from '@spike/registry';
import type { Invocation } from '../invocation.ts';
import { parseFormat, toJson, toYaml } from '../output/format.ts';
import type { StatusOptions } from '../option.ts';
import { openSession } from '../session.ts';

/** Exits with 1 when the system is there and not well, so that a script can ask. */
export async function showStatus(invocation: Invocation, options: StatusOptions): Promise<void> {
  const format = parseFormat(options.format);
  const local = await askAuthority(invocation);
  await using session = await openSession(invocation, 'pilot');
  const nexus = await session.client.status(
    { verify: options.verify === true },
    { signal: invocation.signal },
  );
  const warnings = [...nexus.warnings, ...local.warnings];
  const shown = {
    you: session.id,
    nexus: { ...nexus, warnings: undefined },
    authority: local.status,
    warnings,
  };
  switch (format) {
    case 'json':
      invocation.stdout.write(toJson(shown, 2));
      break;
    case 'yaml':
      invocation.stdout.write(await toYaml(JSON.parse(JSON.stringify(shown))));
      break;
    case 'human': {
      const { keepers, identity, verify } = nexus;
      const lines = [
        ['You', session.id],
        ['Nexus', nexus.state + (nexus.version === undefined ? '' : `, version ${nexus.version}`)],
        ['Instance', nexus.instance ?? 'none'],
        [
          'Identity',
          identity === undefined ? 'none' : `${identity.id}, ${identity.state}, until ${identity.expiresAt}`,
        ],
        [
          'Store',
          nexus.store.kind + (nexus.store.schema === undefined ? '' : `, schema ${nexus.store.schema}`),
        ],
        ['Keepers', `${keepers.reachable} of ${keepers.list.length} reachable, ${keepers.required} required`],
        ...keepers.list.map((keeper) => [
          `Keeper ${keeper.id}`,
          `${keeper.url}, ${keeper.reachable ? (keeper.holdsShare ? 'holds its share' : 'holds no share of ours') : 'unreachable'}`,
        ]),
        ...Object.entries(nexus.sizes).map(([name, size]) => [name, String(size)]),
        ...(local.status === undefined
          ? []
          : [
              [
                'Authority',
                `embedded, ${local.status.entries} entries, lifetime ${local.status.svidLifetimeMs / 1000} s`,
              ],
            ]),
        ...(verify === undefined
          ? []
          : [
              [
                'Verified',
                `${verify.checked} records, ${verify.ok ? 'all well' : verify.problems.join('; ')}`,
              ],
            ]),
      ];
      for (const [name = '', value = ''] of lines)
        invocation.stdout.write(`${`${name}:`.padEnd(12)} ${value}\n`);
      for (const warning of warnings) invocation.stdout.write(`Warning:     ${warning}\n`);
    }
  }
  if (!nexus.ready || nexus.verify?.ok === false) process.exitCode = 1;
}

async function askAuthority(
  invocation: Invocation,
): Promise<{ readonly status: AuthorityStatus | undefined; readonly warnings: readonly string[] }> {
  const home = homeOf(invocation.env);
  const context = await readContext(home).catch(() => undefined);
  if (context === undefined) return { status: undefined, warnings: [] };
  const recovery = context.recoveryFile
    ? [`whoever reads ${home.recovery} and the database reads every secret`]
    : [];
  try {
    const status = await new AuthorityClient({ socketPath: context.adminSocket }).status(invocation.signal);
    return { status, warnings: [status.caution, ...recovery] };
  } catch (error) {
    return {
      status: undefined,
      warnings: [`the embedded authority: ${toSpikeError(error).message}`, ...recovery],
    };
  }
}
