import type { NexusTable, OutputOf } from '@spike/contract';
import { severityOf, type Alert } from './alert.ts';

/** An alert as the wire has it. */
export function describeAlert(alert: Alert): OutputOf<NexusTable['getAlert']>['alert'] {
  const { id, kind, subject, message, detail, count, firstAt, lastAt, acknowledged } = alert;
  return {
    id,
    kind,
    severity: severityOf(alert),
    subject,
    message,
    detail: { ...detail },
    count,
    firstAt: new Date(firstAt).toISOString(),
    lastAt: new Date(lastAt).toISOString(),
    ...(acknowledged === undefined
      ? {}
      : { acknowledged: { by: acknowledged.by, at: new Date(acknowledged.at).toISOString() } }),
  };
}
