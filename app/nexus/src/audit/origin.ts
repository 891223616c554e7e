/** The one Nexus of a system: every Nexus keeps a log of its own. */
const nexusName = 'nexus';
/** Every instance has one log from its making to its end: a restore goes on in it (doc/decision/0010). */
const epoch = 1;

export interface LogPlace {
  readonly trustDomain: string;
  readonly instance: string;
}

/** What a log is called in its checkpoints and keys: unlike every other log that there is. */
export function originOf({ trustDomain, instance }: LogPlace): string {
  return `${trustDomain}/spike/${instance}/${nexusName}/${epoch}`;
}
