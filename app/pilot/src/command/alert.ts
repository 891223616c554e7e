import type { NexusTable, OutputOf } from '@spike/contract';
import type { Invocation } from '../invocation.ts';
import type { AlertListFlags } from '../option.ts';
import type { Paint } from '../output/color.ts';
import { show, showDone } from '../output/show.ts';
import { toPrintableLine } from '../output/text.ts';
import { openSession } from '../session.ts';

type Alert = OutputOf<NexusTable['getAlert']>['alert'];

export async function listAlerts(invocation: Invocation, flags: AlertListFlags): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { alerts, open } = await session.client.listAlerts(
    { all: flags.all === true, limit: flags.limit },
    session.call,
  );
  await show(invocation, {
    human: (paint) => {
      if (alerts.length === 0) return flags.all === true ? 'No alerts.\n' : 'No open alerts.\n';
      return alerts.map((alert) => `${describeLine(alert, paint)}\n`).join('');
    },
    value: { open, alerts },
    isPaged: true,
  });
}

export async function showAlert(invocation: Invocation, id: number): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { alert, means, advice } = await session.client.getAlert({ id }, session.call);
  const rows = [
    ['Alert', String(alert.id)],
    ['Kind', alert.kind],
    ['Severity', alert.severity],
    ...(alert.subject === '' ? [] : [['About', alert.subject]]),
    ['What', alert.message],
    ...Object.entries(alert.detail).map(([name, value]) => [capitalize(name), String(value)]),
    ['Times', String(alert.count)],
    ['First', alert.firstAt],
    ['Last', alert.lastAt],
    ['Seen to', alert.acknowledged ? `${alert.acknowledged.by}, ${alert.acknowledged.at}` : 'by nobody yet'],
    ['It means', means],
    ['What to do', advice],
  ];
  await show(invocation, {
    human: () =>
      rows.map(([name = '', value = '']) => `${`${name}:`.padEnd(12)} ${toPrintableLine(value)}\n`).join(''),
    value: { ...alert, means, advice },
    isPaged: true,
  });
}

export async function acknowledgeAlert(invocation: Invocation, id: number): Promise<void> {
  await using session = await openSession(invocation, 'superuser');
  const { alert } = await session.client.acknowledgeAlert({ id }, session.call);
  const { by = '', at = '' } = alert.acknowledged ?? {};
  await showDone(invocation, `Alert ${id} is acknowledged by ${toPrintableLine(by)}, ${at}.`, alert);
}

/** One line: id, when, how severe, what, and what it is about. */
function describeLine(alert: Alert, paint: Paint): string {
  const { id, severity, kind, message, subject, count, lastAt, acknowledged } = alert;
  const color = severity === 'critical' ? 'red' : severity === 'warning' ? 'yellow' : 'blue';
  return [
    String(id).padStart(4),
    lastAt.slice(0, 19).replace('T', ' '),
    paint(color, severity.padEnd(8)),
    kind.padEnd(22),
    toPrintableLine(subject === '' ? message : `${subject}: ${message}`),
    ...(count > 1 ? [`(${count} times)`] : []),
    ...(acknowledged === undefined ? [] : [paint('dim', `[${toPrintableLine(acknowledged.by)}]`)]),
  ].join('  ');
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
