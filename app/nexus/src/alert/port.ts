import type { AlertKind } from './kind.ts';

export type { AlertKind } from './kind.ts';

export type Detail = Readonly<Record<string, string | number | boolean>>;

/** What somebody tells who noticed something. */
export interface RaisedAlert {
  readonly kind: AlertKind;
  /** What it is about: a SPIFFE ID, the name of a policy, the number of a Keeper. Alerts of one subject are counted. */
  readonly subject?: string;
  /** One sentence for people, without paths, SPIFFE IDs and secrets: it goes into the log, too. */
  readonly message: string;
  readonly detail?: Detail;
}

/** For everybody who notices something that people have to know. */
export interface AlertPort {
  /** Returns at once and never throws; what is raised before the key is here is kept until it is. */
  raise(alert: RaisedAlert): void;
}

/** For tests and for parts that run without alerts. */
export const noAlerts: AlertPort = { raise: () => undefined };
