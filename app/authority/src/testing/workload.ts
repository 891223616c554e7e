// A workload: prints what the Workload API tells it, one JSON line each. Arguments: SOCKET.
import { WorkloadClient } from '@spike/spiffe';

const client = new WorkloadClient({
  endpoint: `unix://${process.argv[2] ?? ''}`,
  timing: { deniedLeastMs: 50, deniedMostMs: 100, backoffLeastMs: 50, backoffMostMs: 100 },
});
const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

for await (const event of client.watchX509Events(AbortSignal.timeout(60_000))) {
  if (event.kind !== 'received') {
    print({ kind: event.kind, ids: [], serials: [], pid: process.pid });
    continue;
  }
  const { svids } = event.value;
  print({
    kind: event.kind,
    ids: svids.map(({ id }) => id.path),
    serials: svids.map((svid) => Buffer.from(svid.chain[0]?.der ?? []).toString('base64')),
    pid: process.pid,
  });
}
