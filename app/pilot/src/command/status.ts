import { homeOf, readContext } from '@spike/config';
import type { NexusTable, OutputOf } from '@spike/contract';
import { SpikeError, toSpikeError } from '@spike/error';
import { AuthorityClient, type AuthorityStatus } from '@spike/registry';
import { witnessProblems } from '../audit/witness.ts';
import type { Invocation } from '../invocation.ts';
import type { Paint } from '../output/color.ts';
import { formatAge } from '../output/age.ts';
import { show } from '../output/show.ts';
import { toPrintable, toPrintableLine } from '../output/text.ts';
import type { StatusOptions } from '../option.ts';
import { askStatus } from '../access/status.ts';

/** Exits with 1 when the system is there and not well, so that a script can ask. */
export async function showStatus(invocation: Invocation, options: StatusOptions): Promise<void> {
  const local = await askAuthority(invocation);
  const verify = options.verify === true;
  await using opened = await askStatus(invocation, verify);
  const { session, status: nexus } = opened;
  if (verify && !nexus.detailed)
    throw new SpikeError('session_required', 'to have everything verified takes a session: spike login');
  const { problems } = nexus;
  const witnessed = await witnessProblems(invocation, session);
  const warnings = [...nexus.warnings, ...local.warnings, ...witnessed];
  const shown = {
    you: session.id,
    nexus: { ...nexus, problems: undefined, warnings: undefined },
    authority: local.status,
    problems,
    warnings,
  };
  await show(invocation, {
    human: (paint) => describe(nexus, { you: session.id, authority: local.status, warnings }, paint),
    // What is undefined is left out, which YAML would write as null.
    value: JSON.parse(JSON.stringify(shown)),
  });
  if (!nexus.well || witnessed.length > 0) process.exitCode = 1;
}

type Status = OutputOf<NexusTable['status']>;
type Rows = readonly (readonly [name: string, value: string])[];

function describe(
  nexus: Status,
  beside: {
    readonly you: string;
    readonly authority: AuthorityStatus | undefined;
    readonly warnings: readonly string[];
  },
  paint: Paint,
): string {
  const { identity, sizes, detailed, rootKey, store } = nexus;
  const rows: Rows = [
    ['You', beside.you],
    ['Nexus', nexus.state + (nexus.version === undefined ? '' : `, version ${nexus.version}`)],
    ['Root key', rootKey ? 'present' : 'not here'],
    ...rowsOf(detailed, ['Instance', nexus.instance ?? 'none']),
    ...rowsOf(detailed, [
      'Identity',
      identity === undefined ? 'none' : `${identity.id}, ${identity.state}, until ${identity.expiresAt}`,
    ]),
    ['Store', store.kind + (store.schema === undefined ? '' : `, schema ${store.schema}`)],
    ...describeKeepers(nexus),
    ...describeAdministration(nexus),
    ...describeDone(nexus),
    ...describeAlerts(nexus),
    ...Object.entries(sizes).map(([name, size]) => [name, String(size)] as const),
    ...describeAuthority(beside.authority),
    ...describeVerify(nexus),
  ];
  const lines = rows.map(([name, value]) => `${`${name}:`.padEnd(13)} ${toPrintableLine(value)}\n`);
  const problems = nexus.problems.map(
    (problem) => `${paint('red', 'Problem:')}      ${toPrintable(problem)}\n`,
  );
  const warnings = beside.warnings.map(
    (warning) => `${paint('yellow', 'Warning:')}      ${toPrintable(warning)}\n`,
  );
  const more = detailed ? [] : ['Log in to see the details: spike login\n'];
  return [...lines, ...problems, ...warnings, ...more].join('');
}

function rowsOf(isShown: boolean, row: Rows[number]): Rows {
  return isShown ? [row] : [];
}

function describeKeepers({ keepers, ready }: Status): Rows {
  const { reachable, holding, required, list, enough } = keepers;
  const total = list.length === 0 ? `${reachable} reachable, ` : `${reachable} of ${list.length} reachable, `;
  // Without its key Nexus can't tell whose share a Keeper holds; the problem says how many it has found.
  const held = ready ? `${holding} with their share, ` : '';
  return [
    ['Keepers', `${total}${held}${required} required${ready && !enough ? ', not enough' : ''}`],
    ...list.map(({ id, url, reachable: answers, holdsShare }) => {
      const share = holdsShare ? ', holds its share' : ', holds no share of ours';
      const how = `${answers ? 'reachable' : 'unreachable'}${answers && ready ? share : ''}`;
      return [`Keeper ${id}`, `${url}, ${how}`] as const;
    }),
  ];
}

function describeAdministration({ administration }: Status): Rows {
  const { mode, initialized, initializedAt, initializedBy, sessions, nextExpiry } = administration;
  const by = initializedBy === undefined ? '' : ` by ${initializedBy}`;
  const when = initializedAt === undefined ? 'yes' : `${initializedAt}${by}`;
  const next = nextExpiry === undefined ? '' : `, the next ends ${nextExpiry}`;
  return [
    ['Admin access', mode === 'svid' ? 'SVID alone (one layer)' : 'SVID and session'],
    ...rowsOf(initialized !== undefined, ['Initialised', initialized === true ? when : 'no: run spike init']),
    ...rowsOf(sessions !== undefined, ['Sessions', `${sessions ?? 0}${next}`]),
  ];
}

function describeDone({ done, time }: Status): Rows {
  if (done === undefined) return [];
  // By the clock of Nexus, which noted when each was done.
  const tell = (what: string, at: string | undefined): string =>
    at === undefined
      ? `never ${what}`
      : `${what} ${formatAge(Math.max(0, Date.parse(time) - Date.parse(at)))} ago (${at})`;
  return [
    ['Backup', tell('verified', done.backupVerifiedAt)],
    ['Reset', tell('rehearsed', done.resetTestedAt)],
    ['Review', tell('finished', done.accessReviewedAt)],
  ];
}

function describeAlerts({ alerts }: Status): Rows {
  if (alerts === undefined) return [];
  const open = Object.entries(alerts).filter(([, count]) => count > 0);
  return [['Alerts', open.length === 0 ? 'none open' : open.map(([name, n]) => `${n} ${name}`).join(', ')]];
}

function describeAuthority(authority: AuthorityStatus | undefined): Rows {
  if (authority === undefined) return [];
  const lifetime = `lifetime ${authority.svidLifetimeMs / 1000} s`;
  return [['Authority', `embedded, ${authority.entries} entries, ${lifetime}`]];
}

function describeVerify({ verify }: Status): Rows {
  if (verify === undefined) return [];
  return [['Verified', `${verify.checked} records, ${verify.ok ? 'all well' : verify.problems.join('; ')}`]];
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
