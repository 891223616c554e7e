import { alertKinds } from '../app/nexus/src/alert/kind.ts';
import { historyKinds } from '../app/nexus/src/history/port.ts';

/** A page with every kind of alert and of the history, from the tables that Nexus itself runs on. */
export function alertPage(): string {
  return [
    '# Alerts and the history of the state',
    '',
    'Where they go and what to do with them is told in [the guide](../guide/monitoring.md). Written by `npm run reference`',
    'from `app/nexus/src/alert/kind.ts` and `app/nexus/src/history/port.ts`.',
    '',
    '## Kinds of alerts',
    '',
    '`critical`: somebody has to look now; `warning`: today; `info`: it is to be known. While an alert of the same kind and',
    'subject is open it is counted, and the sinks are told again after the time in the column "again". Of each kind so many',
    'subjects make alerts of their own in one hour; what comes beyond that is counted in one alert for all of them (`*`).',
    '',
    '| kind | severity | what happened | what to do | again | subjects in an hour |',
    '|---|---|---|---|---|---|',
    ...Object.entries(alertKinds).map(
      ([kind, { severity, means, advice, remindMinutes, perHour }]) =>
        `| \`${kind}\` | ${severity} | ${means} | ${advice} | ${formatMinutes(remindMinutes)} | ${perHour} |`,
    ),
    '',
    '## Kinds of the history',
    '',
    '`spike status --history` shows them, newest first. The last 1,000 are kept, and the first two for good.',
    '',
    '| kind | what happened |',
    '|---|---|',
    ...Object.entries(historyKinds).map(([kind, says]) => `| \`${kind}\` | ${says} |`),
    '',
  ].join('\n');
}

function formatMinutes(minutes: number): string {
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`;
}
