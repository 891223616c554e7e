import { Metrics } from '../app/nexus/src/metric/metrics.ts';

const nothing = {
  reachable: 0,
  holding: 0,
  required: 0,
  size: 0,
  synced: 0,
  info: 0,
  warning: 0,
  critical: 0,
};

/** A page with every figure for Prometheus, from the registry that Nexus itself serves. */
export function metricPage(): string {
  const metrics = new Metrics();
  metrics.read({
    ready: () => true,
    identityEnds: () => undefined,
    keepers: () => nothing,
    audit: () => nothing,
    storeBytes: async () => 0,
    connections: () => 0,
    sessions: () => 0,
    denials: () => 0,
    openAlerts: () => nothing,
  });
  return [
    '# Metrics',
    '',
    '`SPIKE_NEXUS_METRICS_PORT=127.0.0.1:8555` has Nexus answer `GET /metrics` there, in clear and on loopback alone; without it',
    'there is no such port and nothing is counted. No label holds a path, a SPIFFE ID or a name. Besides these there are those',
    'of the process and of Node (`process_*`, `nodejs_*`: processor time, memory, open files, the delay of the event loop,',
    'garbage collection). Rules to begin with are in `deploy/prometheus/spike.yaml`. Written by `npm run reference` from',
    '`app/nexus/src/metric/metrics.ts`.',
    '',
    '| name | type | labels | what it says |',
    '|---|---|---|---|',
    ...metrics
      .list()
      .map(
        ({ name, type, labels, help }) =>
          `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
      ),
    '',
    '`route` is the name of a route in the audit, such as `secret.get`; `outcome` is `ok`, `denied` or `failed`.',
    '',
  ].join('\n');
}
