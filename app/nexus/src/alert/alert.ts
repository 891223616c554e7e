import { damaged, decodeRecord, encodeRecord, isRecord, readNumber, readText } from '../service/record.ts';
import { alertKinds, isAlertKind, type AlertKind, type Severity } from './kind.ts';
import type { Detail, RaisedAlert } from './port.ts';

export interface Acknowledgement {
  /** Name of the administrator, or the SPIFFE ID where there is none. */
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** An alert as it is kept, all that was raised about one subject while it was open. Times are milliseconds since 1970. */
export interface Alert {
  readonly id: number;
  readonly kind: AlertKind;
  readonly subject: string;
  /** The newest. */
  readonly message: string;
  readonly detail: Detail;
  readonly count: number;
  readonly firstAt: number;
  readonly lastAt: number;
  /** When the sinks were told last. */
  readonly toldAt: number;
  readonly acknowledged?: Acknowledgement;
}

const longestText = 500;
const mostDetails = 10;

export function severityOf({ kind }: Pick<Alert, 'kind'>): Severity {
  return alertKinds[kind].severity;
}

/** What was raised, cut to what may be kept and sent. */
export function trim({ kind, subject = '', message, detail = {} }: RaisedAlert): Required<RaisedAlert> {
  const entries = Object.entries(detail)
    .slice(0, mostDetails)
    .map(([name, value]) => [name, typeof value === 'string' ? cut(value) : value] as const);
  return { kind, subject: cut(subject), message: cut(message), detail: Object.fromEntries(entries) };
}

export function encodeAlert(alert: Alert): Uint8Array {
  return encodeRecord(alert);
}

/** Throws `store_integrity`. */
export function decodeAlert(bytes: Uint8Array): Alert {
  const record = decodeRecord(bytes);
  const { kind, acknowledged } = record;
  if (!isAlertKind(kind)) throw damaged('an alert is of a kind that this release does not know');
  return {
    id: readNumber(record, 'id'),
    kind,
    subject: readText(record, 'subject'),
    message: readText(record, 'message'),
    detail: readDetail(record['detail']),
    count: readNumber(record, 'count'),
    firstAt: readNumber(record, 'firstAt'),
    lastAt: readNumber(record, 'lastAt'),
    toldAt: readNumber(record, 'toldAt'),
    ...(isRecord(acknowledged)
      ? { acknowledged: { by: readText(acknowledged, 'by'), at: readNumber(acknowledged, 'at') } }
      : {}),
  };
}

export function readDetail(value: unknown): Detail {
  if (!isRecord(value)) return {};
  const plain = Object.entries(value).filter(
    (entry): entry is [string, string | number | boolean] =>
      typeof entry[1] === 'string' || typeof entry[1] === 'number' || typeof entry[1] === 'boolean',
  );
  return Object.fromEntries(plain);
}

function cut(text: string): string {
  return text.length > longestText ? `${text.slice(0, longestText - 1)}…` : text;
}
