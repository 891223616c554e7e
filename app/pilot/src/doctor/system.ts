import { readContext, type Home } from '@spike/config';
import type { NexusTable, OutputOf } from '@spike/contract';
import { toSpikeError } from '@spike/error';
import type { Invocation } from '../invocation.ts';
import { describeFailure } from '../output/failure.ts';
import { askStatus, type OpenedStatus } from '../access/status.ts';
import type { Session } from '../session.ts';
import type { Finding } from './finding.ts';

type Status = OutputOf<NexusTable['status']>;

const healthMs = 2_000;
const skewMs = 5_000;
const dayMs = 86_400_000;
/** Of the life of an SVID: a renewal is due at half of it. */
const lastPart = 0.2;

/** What is checked of the running system, as far as it lets us. */
export async function checkSystem(invocation: Invocation, home: Home): Promise<readonly Finding[]> {
  const health = await checkHealth(home);
  let opened: OpenedStatus;
  try {
    opened = await askStatus(invocation, false);
  } catch (error) {
    const { code } = toSpikeError(error);
    return [...health, fail(code.startsWith('spiffe_') ? 'identity' : 'nexus', error)];
  }
  await using asked = opened;
  const { session, status } = asked;
  return [
    ...health,
    checkIdentity(session),
    checkNexus(status),
    checkSkew(new Date(status.time).getTime() - asked.askedAt),
    ...checkKeepers(status),
    ...checkAdministration(status),
    ...checkDone(status),
    ...status.problems.map((says) => bad('problem', says, 'spike status shows it with what is around it')),
    await checkAlerts(session, status),
  ];
}

async function checkHealth(home: Home): Promise<readonly Finding[]> {
  const context = await readContext(home).catch(() => undefined);
  if (context === undefined) return [];
  const url = `${context.healthUrl}/health/live`;
  const answer = await fetch(url, { signal: AbortSignal.timeout(healthMs) }).catch(() => undefined);
  await answer?.body?.cancel();
  if (answer?.ok === true) return [{ check: 'ports', outcome: 'ok', says: `${context.healthUrl} answers` }];
  return [
    bad(
      'ports',
      `nobody answers at ${context.healthUrl}`,
      'start the system with npm start; its log says why',
    ),
  ];
}

function checkIdentity({ id, notBefore, notAfter }: Session): Finding {
  const left = notAfter.getTime() - Date.now();
  const says = `${id}, until ${notAfter.toISOString()}`;
  if (left > (notAfter.getTime() - notBefore.getTime()) * lastPart)
    return { check: 'identity', outcome: 'ok', says };
  return note('identity', says, 'the agent did not renew it in time: look at the agent');
}

function checkNexus({ state, ready, version = 'unknown' }: Status): Finding {
  if (ready) return { check: 'nexus', outcome: 'ok', says: `${state}, version ${version}` };
  return bad('nexus', state, 'spike status says what it waits for');
}

function checkSkew(skew: number): Finding {
  const says = `${Math.round(Math.abs(skew))} ms ${skew < 0 ? 'behind' : 'ahead of'} this machine`;
  if (Math.abs(skew) < skewMs) return { check: 'clock', outcome: 'ok', says: `Nexus is ${says}` };
  return bad('clock', `Nexus is ${says}`, 'look at the time synchronisation of both machines');
}

function checkKeepers({ keepers, ready }: Status): readonly Finding[] {
  const { reachable, holding, required, enough } = keepers;
  const says = `${reachable} reachable, ${holding} with their share, ${required} required`;
  if (!ready || enough) return [{ check: 'keepers', outcome: 'ok', says }];
  return [bad('keepers', says, 'start the other Keepers; Nexus gives them their share')];
}

function checkAdministration({ administration, detailed }: Status): readonly Finding[] {
  const { mode, initialized, weaklyBound = [] } = administration;
  if (mode === 'svid')
    return [
      note(
        'second layer',
        'off: whoever has a superuser SVID is an administrator',
        'unset SPIKE_NEXUS_ADMIN_AUTH, start Nexus again, and run spike init',
      ),
    ];
  if (initialized === false) return [bad('second layer', 'there is no administrator yet', 'run spike init')];
  if (!detailed)
    return [skip('second layer', 'you have no session', 'run spike login for the whole picture')];
  if (weaklyBound.length === 0) return [{ check: 'second layer', outcome: 'ok', says: 'on' }];
  const mend = 'give each administrator an SPIFFE ID below the role: …/superuser/<name>';
  return [note('second layer', `${weaklyBound.join(', ')} share an ID with others`, mend)];
}

function checkDone({ done }: Status): readonly Finding[] {
  if (done === undefined) return [];
  const at = done.backupVerifiedAt;
  if (at === undefined)
    return [note('backup', 'none was verified yet', 'spike backup create, then spike backup verify')];
  const days = Math.floor((Date.now() - new Date(at).getTime()) / dayMs);
  const says = `verified ${days} days ago`;
  if (days < 90) return [{ check: 'backup', outcome: 'ok', says }];
  return [note('backup', says, 'spike backup create, then spike backup verify')];
}

async function checkAlerts({ client, call }: Session, { ready, detailed }: Status): Promise<Finding> {
  const unknown = skip(
    'alerts',
    'they cannot be seen',
    'spike alert list, with a session that may read them',
  );
  if (!ready || !detailed) return unknown;
  const answer = await client.listAlerts({ all: false, limit: 1000 }, call).catch(() => undefined);
  if (answer === undefined) return unknown;
  const { alerts } = answer;
  if (alerts.length === 0) return { check: 'alerts', outcome: 'ok', says: 'none is open' };
  const kinds = [...new Set(alerts.map(({ kind }) => kind))].join(', ');
  return note('alerts', `${alerts.length} open: ${kinds}`, 'spike alert list, then show and ack');
}

function fail(check: string, error: unknown): Finding {
  const { message, advice } = describeFailure(error);
  const { row } = toSpikeError(error);
  return bad(check, message === '' ? row.says : message, advice ?? 'the sentence says what to do');
}

const bad = (check: string, says: string, mend: string): Finding => ({ check, outcome: 'bad', says, mend });
const note = (check: string, says: string, mend: string): Finding => ({ check, outcome: 'note', says, mend });
const skip = (check: string, says: string, mend: string): Finding => ({
  check,
  outcome: 'skipped',
  says,
  mend,
});
